/**
 * The door itself: authenticate → route → read → validate → authorize → handle → write. A function of bytes; what
 * carries the bytes is `http.ts`.
 */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Clock } from "../lib/clock.ts";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { parseQuery } from "../lib/sigv4.ts";
import type { Authorize, FindIdentity } from "./authorize.ts";
import {
  accessDenied,
  bodyTooLarge,
  internalFailure,
  invalidSignature,
  notImplemented,
  refusedOperation,
  serialization,
  unavailable,
  unknownOperation,
} from "./errors.ts";
import { BODY_BYTES_MAX } from "./limits.ts";
import { type RawReply, type RawRequest, splitTarget } from "./raw.ts";
import type { Call, Operation, Principal, Service } from "./service.ts";
import { loadShapes, SERVICE_TABLE, type ServiceRow } from "./service-table.ts";
import type { OperationShape, ServiceShapes } from "./shape.ts";
import type { Traits } from "./shapes-file.ts";
import { SignatureVerifier, type Verified } from "./sigv4.ts";
import type { UpgradeCall } from "./upgrade.ts";
import { findViolations } from "./validate.ts";
import { readJson, writeJson, writeJsonError } from "./wire/json.ts";

/** The websockets of the agent protocol are signed as calls of this service. */
const UPGRADE_SIGNING_NAME = "ecs";

const unpack = promisify(gunzip);

export interface GatewayDeps {
  readonly services: readonly Service[];
  readonly findIdentity: FindIdentity;
  readonly authorize: Authorize;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How callers reach the door. Default: `http`. */
  readonly scheme?: "http" | "https";
  /** In tests: a handler that answers members which the schema does not know fails with a 500. */
  readonly strict?: boolean;
}

/** A verified and permitted websocket handshake, or the refusal to write. */
export type UpgradeOutcome =
  | { readonly ok: true; readonly call: UpgradeCall }
  | { readonly ok: false; readonly reply: RawReply };

/** A service as the gateway keeps it: its row, its handlers, and its shapes once they are needed. */
class LoadedService {
  readonly row: ServiceRow;
  readonly service: Service;
  #shapes: ServiceShapes | undefined;

  constructor(row: ServiceRow, service: Service) {
    this.row = row;
    this.service = service;
  }

  get shapes(): ServiceShapes {
    this.#shapes ??= loadShapes(this.row.name);
    return this.#shapes;
  }
}

/** Where a request goes. */
interface Route {
  readonly service: LoadedService;
  readonly shape: OperationShape;
}

export class Gateway {
  readonly #deps: GatewayDeps;
  readonly #verifier: SignatureVerifier;
  readonly #byTarget = new Map<string, LoadedService>();

  constructor(deps: GatewayDeps) {
    this.#deps = deps;
    this.#verifier = new SignatureVerifier(deps);
    for (const service of deps.services) {
      const row = SERVICE_TABLE.find(({ name }) => name === service.name);
      if (row === undefined) throw new Error(`no row in the service table for ${service.name}`);
      this.#byTarget.set(row.target, new LoadedService(row, service));
    }
  }

  /** Answers one request. Never rejects. */
  async handle(raw: RawRequest): Promise<RawReply> {
    const requestId = this.#deps.random.uuid();
    try {
      const caller = this.#verifier.verify(raw);
      const body = await unpackedBody(raw);
      const { service, shape } = this.#route(raw, caller);
      const call = new GatewayCall(raw, caller, requestId, this.#deps.scheme ?? "http");
      const output = await this.#invoke(service, shape, body, call);
      return jsonReply(raw, requestId, 200, writeJson(shape.output, output, this.#strict));
    } catch (error) {
      return this.#errorReply(raw, requestId, error);
    }
  }

  /** Decides on a websocket handshake: its signature, and whether its sender may do `action`. */
  async upgrade(raw: RawRequest, action: string): Promise<UpgradeOutcome> {
    const requestId = this.#deps.random.uuid();
    try {
      const caller = this.#verifier.verify(raw);
      checkScope(caller, UPGRADE_SIGNING_NAME);
      this.#authorize(caller, action, ["*"], raw.sourceIp);
      const { principal, region } = caller;
      // The very pairs that were verified, not another parser's reading of them.
      const query = new URLSearchParams(parseQuery(splitTarget(raw.target).query));
      return { ok: true, call: { principal, region, query, requestId } };
    } catch (error) {
      return { ok: false, reply: this.#errorReply(raw, requestId, error) };
    }
  }

  /** The reply to a request that gets no further, in the form of its service. Logs what is not an ApiError. */
  reject(raw: RawRequest, error: unknown): RawReply {
    return this.#errorReply(raw, this.#deps.random.uuid(), error);
  }

  get #strict(): boolean {
    return this.#deps.strict ?? false;
  }

  #route(raw: RawRequest, caller: Verified): Route {
    const target = raw.headers["x-amz-target"] ?? "";
    const dot = target.indexOf(".");
    const service = this.#byTarget.get(target.slice(0, Math.max(dot, 0)));
    const shape = service?.shapes.operation(target.slice(dot + 1));
    if (raw.method !== "POST" || service === undefined || shape === undefined) {
      throw unknownOperation(target || `${raw.method} ${splitTarget(raw.target).path}`);
    }
    checkScope(caller, service.row.signingName);
    return { service, shape };
  }

  async #invoke(
    service: LoadedService,
    shape: OperationShape,
    body: Uint8Array,
    call: Call,
  ): Promise<unknown> {
    const { row } = service;
    const operation = findOperation(service.service, shape.name);
    if (operation === undefined) throw notImplemented(row.name, shape.name);
    if (operation.support === "refused") {
      throw refusedOperation(row.name, shape.name, operation.why);
    }
    // The one place where a row's type is forgotten: `shape` is what says what `input` is.
    const input = readJson(shape.input, body) as never;
    if (operation.validatesItself !== true) {
      const violations = findViolations(shape.input, input);
      if (violations !== undefined) throw new ApiError(row.validationError, violations);
    }
    this.#authorize(call, operation.action, operation.resources(input, call), call.sourceIp);
    return operation.handle(input, call);
  }

  #authorize(
    caller: { readonly principal: Principal; readonly region: string },
    action: string,
    resources: readonly string[],
    sourceIp: string,
  ): void {
    const { principal, region } = caller;
    const decision = this.#deps.authorize({ principal, action, resources, region, sourceIp });
    if (decision.allowed) return;
    throw accessDenied(principal.arn, action, resources[0] ?? "*", decision.why);
  }

  /** The error in its wire form. What is not an {@link ApiError} is logged, and only its request id is told. */
  #errorReply(raw: RawRequest, requestId: string, thrown: unknown): RawReply {
    try {
      const error = this.#toApiError(raw, requestId, thrown);
      const service = this.#byTarget.get(raw.headers["x-amz-target"]?.split(".")[0] ?? "");
      const shape = service?.shapes.exception(error.code);
      const status = statusOf(error, shape?.traits);
      return jsonReply(raw, requestId, status, writeJsonError(error, shape, this.#strict));
    } catch (broken) {
      const error = this.#toApiError(raw, requestId, broken);
      return jsonReply(raw, requestId, 500, writeJsonError(error, undefined, false));
    }
  }

  #toApiError(raw: RawRequest, requestId: string, thrown: unknown): ApiError {
    if (thrown instanceof ApiError) return thrown;
    const target = raw.headers["x-amz-target"];
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    if (thrown instanceof UnavailableError) {
      this.#deps.log.warn("unavailable", { requestId, target, error: thrown.message });
      return unavailable(requestId);
    }
    this.#deps.log.error("request failed", { requestId, target, error: text });
    return internalFailure(requestId);
  }
}

/** Makes the door of `deps.services`. */
export function createGateway(deps: GatewayDeps): Gateway {
  return new Gateway(deps);
}

/** A {@link Call} over the raw request: the signal is made only for handlers that look at it. */
class GatewayCall implements Call {
  readonly principal: Principal;
  readonly region: string;
  readonly requestId: string;
  readonly endpoint: string;
  readonly sourceIp: string;
  readonly #raw: RawRequest;

  constructor(raw: RawRequest, caller: Verified, requestId: string, scheme: string) {
    this.principal = caller.principal;
    this.region = caller.region;
    this.requestId = requestId;
    this.endpoint = `${scheme}://${raw.headers.host ?? ""}`;
    this.sourceIp = raw.sourceIp;
    this.#raw = raw;
  }

  get signal(): AbortSignal {
    return this.#raw.signal;
  }
}

function findOperation(service: Service, name: string): Operation | undefined {
  return Object.hasOwn(service.operations, name) ? service.operations[name] : undefined;
}

/** A signature for one service is not good for another. */
function checkScope(caller: Verified, signingName: string): void {
  if (caller.service === signingName) return;
  throw invalidSignature(`Credential should be scoped to correct service: '${signingName}'.`);
}

/** SDKs compress some bodies. The signature covers the compressed form, so this comes after its verification. */
async function unpackedBody(raw: RawRequest): Promise<Uint8Array> {
  const encoding = raw.headers["content-encoding"];
  if (encoding === undefined || encoding === "identity") return raw.body;
  if (encoding !== "gzip") throw serialization(`Unknown content encoding: ${encoding}`);
  try {
    return await unpack(raw.body, { maxOutputLength: BODY_BYTES_MAX });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw bodyTooLarge(BODY_BYTES_MAX);
    }
    throw serialization("The request body is not valid gzip");
  }
}

/** The status that the exception's shape fixes, else the error's own, else by whose fault it is. */
function statusOf(error: ApiError, traits: Traits | undefined): number {
  const modelled = typeof traits === "object" ? traits : {};
  if (typeof modelled.httpError === "number") return modelled.httpError;
  return error.status ?? (modelled.error === "server" ? 500 : 400);
}

function jsonReply(raw: RawRequest, requestId: string, status: number, body: string): RawReply {
  const isVersion10 = raw.headers["content-type"]?.startsWith("application/x-amz-json-1.0");
  return {
    status,
    headers: {
      "content-type": `application/x-amz-json-${isVersion10 ? "1.0" : "1.1"}`,
      "x-amzn-requestid": requestId,
    },
    body,
  };
}
