/** From a request to the operation it asks for, in each protocol's way. */
import { assert } from "../lib/errors.ts";
import { parseQuery } from "../lib/sigv4.ts";
import {
  invalidSignature,
  missingAuthentication,
  notImplemented,
  unknownOperation,
} from "./errors.ts";
import { ANONYMOUS_BODY_BYTES_MAX } from "./limits.ts";
import { anonymousOperations, LoadedService } from "./loaded-service.ts";
import { type RawRequest, splitTarget } from "./raw.ts";
import type { LateService, Service } from "./service.ts";
import { SERVICE_TABLE } from "./service-table.ts";
import type { OperationShape } from "./shape.ts";
import { claimedService, type Verified } from "./sigv4.ts";
import { AWS_JSON_1_0, AWS_JSON_1_1 } from "./wire/aws-json.ts";
import { readCbor } from "./wire/cbor.ts";
import { EC2_DIALECT, formTree, parseForm, QUERY_DIALECT, readForm } from "./wire/form.ts";
import { parseJson, readJson } from "./wire/json.ts";
import type { Protocol, ProtocolName } from "./wire/protocol.ts";
import { AWS_QUERY, EC2_QUERY } from "./wire/query.ts";
import { REST_JSON_1, readRest } from "./wire/rest-json.ts";
import { RPC_V2_CBOR } from "./wire/rpc-cbor.ts";

/** What a request says of itself before its signature is verified: enough to answer it in its own form. */
export interface Dialect {
  readonly protocol: Protocol;
  /** `undefined`: none of ours. */
  readonly service: LoadedService | undefined;
}

/** Where a verified request goes. */
export interface Route {
  readonly service: LoadedService;
  readonly shape: OperationShape;
  /** `unmodelled`: see `Operation.unmodelled`; only JSON-RPC has such callers. */
  readonly readInput: (unmodelled?: readonly string[]) => Record<string, unknown>;
}

/** Who calls: as verified, or nobody, whose calls are scoped to no service. */
export type Caller = Omit<Verified, "service"> & { readonly service: string | undefined };

/** A request whose signature, if it has one, is verified and whose body is unpacked. */
export interface VerifiedRequest {
  readonly raw: RawRequest;
  readonly body: Uint8Array;
  readonly caller: Caller;
}

const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  awsJson1_0: AWS_JSON_1_0,
  awsJson1_1: AWS_JSON_1_1,
  rpcv2Cbor: RPC_V2_CBOR,
  awsQuery: AWS_QUERY,
  ec2Query: EC2_QUERY,
  restJson1: REST_JSON_1,
};

/** `/service/<target>/operation/<name>`. */
const CBOR_PATH = /^\/service\/(\w+)\/operation\/(\w+)$/;

const FORM_TYPE = "application/x-www-form-urlencoded";
const JSON_1_0_TYPE = "application/x-amz-json-1.0";

export class Router {
  readonly #byTarget = new Map<string, LoadedService>();
  readonly #bySigningName = new Map<string, LoadedService>();
  /** By the names of operations that need no signature. */
  readonly #unsigned = new Map<string, LoadedService>();

  constructor(services: readonly (Service | LateService)[]) {
    for (const { name } of services) {
      const isKnown = SERVICE_TABLE.some((row) => row.name === name);
      assert(isKnown, `no row in the service table for ${name}`);
    }
    for (const row of SERVICE_TABLE) {
      const service = services.find(({ name }) => name === row.name);
      const loaded = new LoadedService(row, service);
      this.#byTarget.set(row.target, loaded);
      this.#bySigningName.set(row.signingName, loaded);
      if (service === undefined) continue;
      for (const name of anonymousOperations(service)) this.#unsigned.set(name, loaded);
    }
  }

  /** The protocol of a request and the service it is meant for, by its headers and URL alone. */
  recognise(raw: RawRequest): Dialect {
    const { headers } = raw;
    const target = headers["x-amz-target"];
    if (target !== undefined) {
      const isVersion10 = headers["content-type"]?.startsWith(JSON_1_0_TYPE);
      const service = this.#byTarget.get(beforeDot(target));
      return { protocol: isVersion10 ? AWS_JSON_1_0 : AWS_JSON_1_1, service };
    }
    if (headers["smithy-protocol"] === "rpc-v2-cbor") {
      const [, name = ""] = CBOR_PATH.exec(splitTarget(raw.target).path) ?? [];
      return { protocol: RPC_V2_CBOR, service: this.#byTarget.get(name) };
    }
    const own = this.dialectOf(claimedService(raw) ?? "");
    if (own.service?.row.protocols[0] !== "restJson1" && isForm(raw)) {
      return { ...own, protocol: own.protocol === EC2_QUERY ? EC2_QUERY : AWS_QUERY };
    }
    return own;
  }

  /**
   * The same for a request without a signature: one of the few operations that need none, all of them in the query
   * protocol. Throws MissingAuthenticationToken for any other.
   */
  recogniseUnsigned(raw: RawRequest): Dialect {
    const { query } = splitTarget(raw.target);
    const isSmall = raw.body.length <= ANONYMOUS_BODY_BYTES_MAX;
    if (!isSmall || !isForm(raw) || raw.headers["x-amz-target"] !== undefined) {
      throw missingAuthentication();
    }
    const tree = formTree(parseQuery(query), isFormType(raw) ? parseForm(raw.body) : []);
    const service = this.#unsigned.get(tree.children?.get("Action")?.value ?? "");
    if (service === undefined) throw missingAuthentication();
    return { protocol: AWS_QUERY, service };
  }

  /** What a service speaks by itself, for requests that do not show it: websocket handshakes. */
  dialectOf(signingName: string): Dialect {
    const service = this.#bySigningName.get(signingName);
    const own = service?.row.protocols[0];
    return { protocol: own === undefined ? REST_JSON_1 : PROTOCOLS[own], service };
  }

  /** Throws the errors of unknown operations, of signatures for another service, and of bodies that cannot be read. */
  route(dialect: Dialect, request: VerifiedRequest): Route {
    const { service, protocol } = dialect;
    const { raw, caller } = request;
    if (service === undefined) throw unknownOperation(unknownText(raw));
    checkScope(caller, service.row.signingName);
    switch (protocol.errorFamily) {
      case "json":
        return routeRpc(service, protocol, request);
      case "query":
      case "ec2":
        return routeForm(service, protocol, request);
      case "rest":
        return routeRest(service, request);
    }
  }
}

/** A signature for one service is not good for another. */
export function checkScope(caller: Caller, signingName: string): void {
  if (caller.service === signingName || caller.principal.kind === "anonymous") return;
  throw invalidSignature(`Credential should be scoped to correct service: '${signingName}'.`);
}

function routeRpc(service: LoadedService, protocol: Protocol, request: VerifiedRequest): Route {
  const { raw, body } = request;
  const target = raw.headers["x-amz-target"];
  const isCbor = protocol === RPC_V2_CBOR;
  const { path } = splitTarget(raw.target);
  const name = isCbor ? CBOR_PATH.exec(path)?.[2] : afterDot(target ?? "");
  // awsJson 1.0 and 1.1 read alike: the content type decides only about the reply.
  const isSpoken = service.row.protocols.some((one) =>
    isCbor ? one === "rpcv2Cbor" : one === "awsJson1_0" || one === "awsJson1_1",
  );
  if (raw.method !== "POST" || !isSpoken || name === undefined) {
    throw unknownOperation(unknownText(raw));
  }
  const shape = findShape(service, name, () => unknownText(raw));
  const read = isCbor ? readCbor : readJson;
  return {
    service,
    shape,
    readInput: (unmodelled = []) => {
      const input = read(shape.input, body);
      return unmodelled.length === 0 || isCbor
        ? input
        : { ...unmodelledTexts(body, unmodelled), ...input };
    },
  };
}

/** Of a body that has been read already: it is an object. */
function unmodelledTexts(body: Uint8Array, names: readonly string[]): Record<string, unknown> {
  const members = (body.length === 0 ? {} : parseJson(body)) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = members[name];
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );
}

/** A presigned request has its parameters in the query, others in the body: both count. */
function routeForm(service: LoadedService, protocol: Protocol, request: VerifiedRequest): Route {
  const { raw, body } = request;
  const { path, query } = splitTarget(raw.target);
  const tree = formTree(parseQuery(query), isFormType(raw) ? parseForm(body) : []);
  const name = tree.children?.get("Action")?.value ?? "";
  const version = tree.children?.get("Version")?.value ?? service.row.version;
  const isOurs = service.row.protocols.includes(protocol.name) && version === service.row.version;
  const isCall = (raw.method === "POST" || raw.method === "GET") && path === "/";
  const unknown = (): string =>
    protocol === EC2_QUERY
      ? `The action ${shown(name)} is not valid for this web service.`
      : `Could not find operation ${shown(name)} for version ${shown(version)}`;
  if (!isOurs || !isCall) throw unknownOperation(unknown());
  const shape = findShape(service, name, unknown);
  const dialect = protocol === EC2_QUERY ? EC2_DIALECT : QUERY_DIALECT;
  return { service, shape, readInput: () => readForm(shape.input, tree, dialect) };
}

function routeRest(service: LoadedService, { raw, body }: VerifiedRequest): Route {
  const { path, query } = splitTarget(raw.target);
  const match = service.restRoutes.match(raw.method, path);
  if (match === undefined) throw unknownOperation(unknownText(raw));
  const { shape, labels } = match;
  const parts = { labels, query: parseQuery(query), body };
  return { service, shape, readInput: () => readRest(shape.input, parts) };
}

function findShape(service: LoadedService, name: string, unknown: () => string): OperationShape {
  const shape = service.shapes.operation(name);
  if (shape !== undefined) return shape;
  if (service.shapes.isNameOnly(name)) throw notImplemented(service.row.name, name);
  throw unknownOperation(unknown());
}

function isForm(raw: RawRequest): boolean {
  return isFormType(raw) || /[?&]Action=/.test(raw.target);
}

function isFormType(raw: RawRequest): boolean {
  return raw.headers["content-type"]?.startsWith(FORM_TYPE) ?? false;
}

function unknownText(raw: RawRequest): string {
  const { path } = splitTarget(raw.target);
  return `Unknown operation: ${shown(raw.headers["x-amz-target"] || `${raw.method} ${path}`)}`;
}

/** Error texts repeat what was sent, but not any amount of it. */
function shown(text: string): string {
  return text.slice(0, 200);
}

function beforeDot(target: string): string {
  return target.slice(0, Math.max(target.indexOf("."), 0));
}

function afterDot(target: string): string {
  return target.slice(target.indexOf(".") + 1);
}
