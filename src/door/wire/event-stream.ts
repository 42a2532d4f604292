/**
 * A reply that is a stream of events, in the framing that all AWS protocols share:
 * https://smithy.io/2.0/aws/amazon-eventstream.html
 *
 *   4 bytes length · 4 bytes length of the headers · 4 bytes CRC-32 of these · headers · payload · 4 bytes CRC-32 of all
 */
import { crc32 } from "node:zlib";
import { ApiError, assert } from "../../lib/errors.ts";
import type { Member, OperationShape, StructureShape } from "../shape.ts";
import { writeJson } from "./json.ts";
import type { ReplyContext } from "./protocol.ts";

const STRING_HEADER = 7;

/** The messages of a reply whose `stream` member is an async iterable of `{[event]: value}`. */
export function eventStream(
  shape: OperationShape,
  stream: Member,
  output: unknown,
  context: ReplyContext,
): AsyncIterable<Uint8Array> {
  const { [stream.name]: events, ...initial } = output as Record<string, unknown>;
  const union = stream.shape;
  assert(union.kind === "union", `${stream.name} is not a union of events`);
  const first = writeJson(shape.output, initial, context.strict);
  return messages(union, events as AsyncIterable<Record<string, unknown>>, first, context);
}

/** In RPC protocols the members beside the stream come first, as an event of their own. */
async function* messages(
  union: StructureShape,
  events: AsyncIterable<Record<string, unknown>>,
  initial: string,
  { strict }: ReplyContext,
): AsyncGenerator<Uint8Array> {
  yield eventMessage("initial-response", initial);
  try {
    for await (const event of events) {
      for (const [name, value] of Object.entries(event)) {
        if (value !== undefined) yield eventMessage(name, payloadOf(union, name, value, strict));
      }
    }
  } catch (error) {
    yield errorMessage(union, error, strict);
    // What is not the service's own exception is a failure that the gateway has to log.
    if (!(error instanceof ApiError)) throw error;
  }
}

function payloadOf(union: StructureShape, name: string, value: unknown, strict: boolean): string {
  const shape = union.byName.get(name)?.shape;
  assert(shape?.kind === "structure", `${union.name} has no event ${name}`);
  return writeJson(shape, value, strict);
}

function eventMessage(type: string, payload: string): Uint8Array {
  const headers = { ":message-type": "event", ":event-type": type };
  return encodeMessage({ ...headers, ":content-type": "application/json" }, payload);
}

/** After which nothing follows. Exceptions of the stream's own union are told with their members. */
function errorMessage(union: StructureShape, error: unknown, strict: boolean): Uint8Array {
  const known = error instanceof ApiError ? union.byName.get(error.code)?.shape : undefined;
  if (error instanceof ApiError && known?.kind === "structure") {
    const members = { ...error.members, message: error.message };
    const headers = { ":message-type": "exception", ":exception-type": error.code };
    const payload = writeJson(known, members, strict);
    return encodeMessage({ ...headers, ":content-type": "application/json" }, payload);
  }
  const code = error instanceof ApiError ? error.code : "InternalFailure";
  const message = error instanceof ApiError ? error.message : "Internal error";
  return encodeMessage(
    { ":message-type": "error", ":error-code": code, ":error-message": message },
    "",
  );
}

/** One message; the values of its headers are strings. */
export function encodeMessage(
  headers: Readonly<Record<string, string>>,
  payload: string,
): Uint8Array {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => header(name, value)));
  const body = Buffer.from(payload);
  const length = 12 + head.length + body.length + 4;
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(length, 0);
  prelude.writeUInt32BE(head.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const message = Buffer.concat([prelude, head, body, Buffer.alloc(4)]);
  message.writeUInt32BE(crc32(message.subarray(0, length - 4)), length - 4);
  return message;
}

function header(name: string, value: string): Buffer {
  const text = Buffer.from(value);
  const bytes = Buffer.alloc(1 + name.length + 3 + text.length);
  bytes.writeUInt8(name.length, 0);
  bytes.write(name, 1, "latin1");
  bytes.writeUInt8(STRING_HEADER, 1 + name.length);
  bytes.writeUInt16BE(text.length, 2 + name.length);
  text.copy(bytes, 4 + name.length);
  return bytes;
}
