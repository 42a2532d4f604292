/** restJson1: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html */
import { InvariantError } from "../../lib/errors.ts";
import { serialization } from "../errors.ts";
import type { RawReply } from "../raw.ts";
import type { Member, Shape, StructureShape } from "../shape.ts";
import { JSON_FORMAT, parseJson } from "./json.ts";
import { messageMember, type Protocol, type ReplyContext } from "./protocol.ts";
import { readText } from "./text.ts";
import { readTree, unknownMember, writeStructure, writeTree } from "./tree.ts";

export const REST_JSON_1: Protocol = {
  name: "restJson1",
  errorFamily: "rest",
  writeOutput: (shape, output, context) => {
    const body = JSON.stringify(writeBody(shape.output, output, context.strict));
    return reply(shape.http?.status ?? 200, body, {}, context);
  },
  writeError: (error, context) => {
    const { shape } = error;
    const writer = { format: JSON_FORMAT, strict: context.strict };
    const members = shape && writeStructure(shape, error.members, writer, shape.name);
    const body = JSON.stringify({ ...members, [messageMember(error)]: error.message });
    return reply(error.status, body, { "x-amzn-errortype": error.code }, context);
  },
};

/** Where the parts of a request's input stand. */
export interface RestParts {
  /** By member, decoded. */
  readonly labels: ReadonlyMap<string, string>;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** The input of an operation from all parts of its request. Throws `SerializationException`. */
export function readRest(shape: StructureShape, parts: RestParts): Record<string, unknown> {
  const json = parts.body.length === 0 ? {} : parseJson(parts.body);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw serialization("Expected null");
  }
  const input: Record<string, unknown> = {};
  for (const member of shape.members) {
    const value = readMember(member, json as Record<string, unknown>, parts);
    if (value !== undefined) input[member.name] = value;
  }
  return input;
}

function readMember(member: Member, json: Record<string, unknown>, parts: RestParts): unknown {
  const { name, shape } = member;
  switch (member.location) {
    case "label":
      return readValues(shape, [parts.labels.get(name) ?? ""]);
    case "query": {
      const values = parts.query.filter(([key]) => key === member.queryKey);
      const texts = values.map(([, value]) => value);
      return texts.length === 0 ? undefined : readValues(shape, texts);
    }
    case "payload":
      return readTree(shape, json, JSON_FORMAT);
    case "body": {
      const element = Object.hasOwn(json, name) ? json[name] : undefined;
      if (element === undefined || element === null) return undefined;
      return readTree(shape, element, JSON_FORMAT);
    }
  }
}

/** A list takes every value of the parameter, a scalar the first. */
function readValues(shape: Shape, texts: readonly string[]): unknown {
  switch (shape.kind) {
    case "list":
      return texts.map((text) => readValues(shape.item, [text]));
    case "structure":
    case "union":
    case "map":
      throw new InvariantError(`a ${shape.kind} cannot stand in a URL`);
    default:
      return readText(shape, texts[0] ?? "");
  }
}

function writeBody(shape: StructureShape, output: unknown, strict: boolean): unknown {
  const writer = { format: JSON_FORMAT, strict };
  const payload = shape.members.find(({ location }) => location === "payload");
  if (payload === undefined) return writeStructure(shape, output, writer, shape.name);
  const members = output as Record<string, unknown>;
  const unknown = Object.keys(members).find((name) => !shape.byName.has(name));
  if (strict && unknown !== undefined) throw unknownMember(shape, unknown, shape.name);
  return writeTree(payload.shape, members[payload.name] ?? {}, writer, payload.name);
}

function reply(
  status: number,
  body: string,
  headers: Record<string, string>,
  { requestId }: ReplyContext,
): RawReply {
  return {
    status,
    headers: { "content-type": "application/json", "x-amzn-requestid": requestId, ...headers },
    body,
  };
}
