/**
 * The door itself: authenticate → route → read → validate → authorize → handle → write. A function of bytes; what
 * carries the bytes is `http.ts`.
 */

import { gunzip } from "node:zlib";
import { util } from "../lib/builtins.ts";
import type { Clock } from "../lib/clock.ts";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { parseQuery } from "../lib/sigv4.ts";
import { SparseLog } from "../lib/sparse-log.ts";
import { type AccessDeps, type Denial, denialError, findDenial } from "./access.ts";
import type { CallOrigin, FindIdentity } from "./authorize.ts";
import { toWireError } from "./error-reply.ts";
import {
  bodyTooLarge,
  internalFailure,
  notImplemented,
  refusedOperation,
  serialization,
  unavailable,
} from "./errors.ts";
import { BODY_BYTES_MAX, UNAVAILABLE_LOG_PAUSE_MS } from "./limits.ts";
import { type RawReply, type RawRequest, splitTarget } from "./raw.ts";
import { type Caller, checkScope, type Dialect, type Route, Router } from "./route.ts";
import type { Call, LateService, OperationTable, Principal, Service } from "./service.ts";
import { isSigned, SignatureVerifier } from "./sigv4.ts";
import type { UpgradeCall, UpgradeRoute } from "./upgrade.ts";
import { coralText, ec2Error, findViolations } from "./validate.ts";
import type { ReplyContext } from "./wire/protocol.ts";

/** The websockets of the agent protocol are signed as calls of this service. */
const UPGRADE_SIGNING_NAME = "ecs";

const unpack = util.promisify(gunzip);

/** Whose region an unsigned call is of: the one that AWS's global endpoints are in. */
const UNSIGNED_REGION = "us-east-1";

const ANONYMOUS: Caller = {
  principal: { accountId: "", arn: "anonymous", accessKeyId: "", kind: "anonymous" },
  region: UNSIGNED_REGION,
  signedAt: 0,
  service: undefined,
};

export interface GatewayDeps extends AccessDeps {
  readonly services: readonly (Service | LateService)[];
  readonly findIdentity: FindIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** In tests: a handler that answers members which the schema does not know fails with a 500. */
  readonly strict?: boolean;
  /** How callers reach the door. Default: `http`. */
  readonly scheme?: "http" | "https";
}

/** A verified and permitted websocket handshake, or the refusal to write. */
export type UpgradeOutcome =
  | { readonly ok: true; readonly call: UpgradeCall }
  | { readonly ok: false; readonly reply: RawReply };

export class Gateway {
  readonly #deps: GatewayDeps;
  readonly #verifier: SignatureVerifier;
  readonly #router: Router;
  readonly #unavailableLog: SparseLog;

  constructor(deps: GatewayDeps) {
    this.#deps = deps;
    this.#unavailableLog = new SparseLog(deps, UNAVAILABLE_LOG_PAUSE_MS);
    this.#verifier = new SignatureVerifier(deps);
    this.#router = new Router(deps.services);
  }

  /** Answers one request. Never rejects. */
  async handle(raw: RawRequest): Promise<RawReply> {
    const requestId = this.#deps.random.uuid();
    let dialect = this.#router.recognise(raw);
    try {
      if (!isSigned(raw)) dialect = this.#router.recogniseUnsigned(raw);
      const caller = isSigned(raw) ? this.#verifier.verify(raw) : ANONYMOUS;
      const body = isPacked(raw) ? await unpacked(raw) : raw.body;
      const route = this.#router.route(dialect, { raw, body, caller });
      // Each wait costs every call: whatever is there is not waited for.
      const { operations } = route.service;
      const table = operations instanceof Promise ? await operations : operations;
      const output = await this.#invoke(route, table, this.#call(raw, caller, requestId));
      const context = this.#replyContext(dialect, requestId);
      return dialect.protocol.writeOutput(route.shape, output, context);
    } catch (error) {
      return this.#errorReply(raw, dialect, requestId, error);
    }
  }

  /** Decides on a websocket handshake: its signature, and whether its sender may do what the route needs. */
  async upgrade(raw: RawRequest, route: UpgradeRoute): Promise<UpgradeOutcome> {
    const requestId = this.#deps.random.uuid();
    try {
      const caller = this.#verifier.verify(raw);
      checkScope(caller, UPGRADE_SIGNING_NAME);
      const { principal, region } = caller;
      // The very pairs that were verified, not another parser's reading of them.
      const query = new URLSearchParams(parseQuery(splitTarget(raw.target).query));
      const origin = this.#call(raw, caller, requestId);
      const decision = this.#deps.authorize({
        principal,
        action: route.action,
        resources: route.resources?.(query) ?? ["*"],
        origin,
        conditionsOf: (resource) => route.conditions?.(query, resource) ?? {},
      });
      if (!decision.allowed) await this.#deny(UPGRADE_SIGNING_NAME, decision);
      return {
        ok: true,
        call: { principal, region, query, requestId, endpoint: origin.endpoint },
      };
    } catch (error) {
      const dialect = this.#router.dialectOf(UPGRADE_SIGNING_NAME);
      return { ok: false, reply: this.#errorReply(raw, dialect, requestId, error) };
    }
  }

  /** The reply to a request that gets no further, in the form of its service. Logs what is not an ApiError. */
  reject(raw: RawRequest, error: unknown): RawReply {
    const requestId = this.#deps.random.uuid();
    return this.#errorReply(raw, this.#router.recognise(raw), requestId, error);
  }

  #invoke(
    { service, shape, readInput }: Route,
    operations: OperationTable,
    call: GatewayCall,
  ): Promise<unknown> {
    const { row } = service;
    const operation = Object.hasOwn(operations, shape.name) ? operations[shape.name] : undefined;
    if (operation === undefined) throw notImplemented(row.name, shape.name);
    if (operation.support === "refused") {
      throw refusedOperation(row.name, shape.name, operation.why);
    }
    // The one place where a row's type is forgotten: `shape` is what says what `input` is.
    const input = readInput(operation.unmodelled) as never;
    if (operation.validatesItself !== true) {
      const violations = findViolations(shape.input, input);
      const [first] = violations;
      if (first !== undefined) {
        if (row.name === "ec2") throw ec2Error(first);
        throw new ApiError(row.validationError, coralText(violations));
      }
    }
    const denial = findDenial(this.#deps.authorize, operation, input, call);
    if (denial !== undefined) return this.#deny(row.name, denial);
    return operation.handle(input, call);
  }

  async #deny(service: string | undefined, denial: Denial): Promise<never> {
    throw await denialError(this.#deps, service, denial);
  }

  #call(raw: RawRequest, caller: Caller, requestId: string): GatewayCall {
    return new GatewayCall(raw, caller, requestId, this.#deps.scheme ?? "http");
  }

  /** The error in its wire form. What is not an {@link ApiError} is logged, and only its request id is told. */
  #errorReply(raw: RawRequest, dialect: Dialect, requestId: string, thrown: unknown): RawReply {
    const context = this.#replyContext(dialect, requestId);
    const write = (error: ApiError, strict: boolean): RawReply => {
      const wantsQueryCode = raw.headers["x-amzn-query-mode"] === "true";
      const wire = toWireError(error, dialect.protocol, context.shapes, wantsQueryCode);
      return dialect.protocol.writeError(wire, { ...context, strict });
    };
    try {
      return write(this.#toApiError(raw, dialect, requestId, thrown), context.strict);
    } catch (broken) {
      return write(this.#toApiError(raw, dialect, requestId, broken), false);
    }
  }

  #toApiError(raw: RawRequest, dialect: Dialect, requestId: string, thrown: unknown): ApiError {
    if (thrown instanceof ApiError) return thrown;
    const target = raw.headers["x-amz-target"] ?? splitTarget(raw.target).path;
    const service = dialect.service?.row.name;
    if (thrown instanceof UnavailableError) {
      const facts = { requestId, service, target, error: thrown.message };
      this.#unavailableLog.warn("unavailable", facts);
      const code = dialect.service?.row.unavailableError;
      const general = unavailable(requestId);
      return code === undefined ? general : new ApiError(code, general.message, { status: 500 });
    }
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    this.#deps.log.error("request failed", { requestId, service, target, error: text });
    const failure = internalFailure(requestId);
    const code = dialect.service?.row.internalError;
    return code === undefined ? failure : new ApiError(code, failure.message, { status: 500 });
  }

  #replyContext({ service }: Dialect, requestId: string): ReplyContext {
    return { requestId, shapes: service?.shapes, strict: this.#deps.strict ?? false };
  }
}

/** Makes the door of `deps.services`. */
export function createGateway(deps: GatewayDeps): Gateway {
  return new Gateway(deps);
}

/** A {@link Call} over the raw request: the signal is made only for handlers that look at it. */
class GatewayCall implements Call, CallOrigin {
  readonly principal: Principal;
  readonly region: string;
  readonly signedAt: number;
  readonly requestId: string;
  readonly endpoint: string;
  readonly sourceIp: string;
  readonly isSecure: boolean;
  readonly #raw: RawRequest;

  constructor(raw: RawRequest, caller: Caller, requestId: string, scheme: "http" | "https") {
    this.principal = caller.principal;
    this.region = caller.region;
    this.signedAt = caller.signedAt;
    this.requestId = requestId;
    this.endpoint = `${scheme}://${raw.headers.host ?? ""}`;
    this.sourceIp = raw.sourceIp;
    this.isSecure = scheme === "https";
    this.#raw = raw;
  }

  get userAgent(): string | undefined {
    return this.#raw.headers["user-agent"];
  }

  get signal(): AbortSignal {
    return this.#raw.signal;
  }
}

function isPacked({ headers }: RawRequest): boolean {
  const encoding = headers["content-encoding"];
  return encoding !== undefined && encoding !== "identity";
}

/** SDKs compress some bodies. The signature covers the compressed form, so this comes after its verification. */
async function unpacked(raw: RawRequest): Promise<Uint8Array> {
  const encoding = raw.headers["content-encoding"];
  if (encoding !== "gzip") throw serialization("Only gzip is a known content encoding");
  try {
    return await unpack(raw.body, { maxOutputLength: BODY_BYTES_MAX });
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw isTooLarge ? bodyTooLarge() : serialization("The request body is not valid gzip");
  }
}
