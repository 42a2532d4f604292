/** A door on loopback with the services of a test, its root key, and clients for it. */
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { ECSClient } from "@aws-sdk/client-ecs";
import type { Authorize, FindIdentity, Identity } from "../src/door/authorize.ts";
import { createGateway, type Gateway } from "../src/door/gateway.ts";
import { type Patience, serveHttp } from "../src/door/http.ts";
import type { RawReply, RawRequest } from "../src/door/raw.ts";
import type { LateService, Operation, Principal, Service } from "../src/door/service.ts";
import { loadShapes, SERVICE_TABLE } from "../src/door/service-table.ts";
import type { UpgradeRoute } from "../src/door/upgrade.ts";
import { type AwsJsonClient, createAwsJsonClient } from "../src/lib/aws-json-client.ts";
import { type Clock, systemClock } from "../src/lib/clock.ts";
import { hmacHex } from "../src/lib/hmac.ts";
import { type Log, silentLog } from "../src/lib/log.ts";
import { systemRandom } from "../src/lib/random.ts";
import {
  amzTimestamp,
  type Credentials,
  canonicalQuery,
  canonicalRequest,
  EMPTY_PAYLOAD_HASH,
  SIGNING_ALGORITHM,
  signingKey,
  signRequest,
  stringToSign,
} from "../src/lib/sigv4.ts";

export const ACCOUNT_ID = "000000000000";
export const REGION = "us-east-1";

/** The key that every door of this kit knows. */
export const ROOT_KEY: Credentials = {
  accessKeyId: "AKIAGANTRYTEST000000",
  secretAccessKey: "a secret that only tests know",
};

/** The key of a task's role, which needs its token. */
export const SESSION_KEY: Credentials = {
  accessKeyId: "ASIAGANTRYTEST000000",
  secretAccessKey: "the secret of a session",
  sessionToken: "token/of+the=session",
};

export const ROOT_PRINCIPAL: Principal = {
  accountId: ACCOUNT_ID,
  arn: `arn:aws:iam::${ACCOUNT_ID}:root`,
  accessKeyId: ROOT_KEY.accessKeyId,
  kind: "root",
};

const SESSION_PRINCIPAL: Principal = {
  ...ROOT_PRINCIPAL,
  accessKeyId: SESSION_KEY.accessKeyId,
  kind: "role-session",
};

/** Clients send these without a signature, which the door accepts from nobody. */
export const UNSIGNED_OPERATIONS: ReadonlySet<string> = new Set([
  "AssumeRoleWithSAML",
  "AssumeRoleWithWebIdentity",
]);

export interface DoorOptions {
  readonly services?: readonly (Service | LateService)[];
  readonly upgrades?: readonly UpgradeRoute[];
  /** Default: everything is allowed. */
  readonly authorize?: Authorize;
  /** Default: {@link findTestIdentity}. */
  readonly findIdentity?: FindIdentity;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Default: yes. */
  readonly strict?: boolean;
  readonly patience?: Partial<Patience>;
}

/** A gateway without a socket. */
export function testGateway(options: DoorOptions = {}): Gateway {
  return createGateway({
    services: options.services ?? [],
    findIdentity: options.findIdentity ?? findTestIdentity,
    authorize: options.authorize ?? (() => ({ allowed: true })),
    encodeDenial: async (details) => Buffer.from(details).toString("base64url"),
    clock: options.clock ?? systemClock,
    random: systemRandom,
    log: options.log ?? silentLog,
    strict: options.strict ?? true,
  });
}

/** Knows the root key and the session key. */
export const findTestIdentity = (
  accessKeyId: string,
  sessionToken: string | undefined,
): Identity | undefined => {
  const key = accessKeyId === ROOT_KEY.accessKeyId ? ROOT_KEY : SESSION_KEY;
  if (key.accessKeyId !== accessKeyId || key.sessionToken !== sessionToken) return undefined;
  const principal = key === ROOT_KEY ? ROOT_PRINCIPAL : SESSION_PRINCIPAL;
  return { principal, secretAccessKey: key.secretAccessKey };
};

export interface TestDoor extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The SDK's own clients: one attempt, closed with the door. */
  readonly ecs: ECSClient;
  readonly logs: CloudWatchLogsClient;
  /** Gantry's own client. */
  json(service: "ecs" | "logs"): AwsJsonClient;
  /** The headers of a signed websocket handshake. */
  handshake(path: string): { url: string; headers: Record<string, string> };
}

/** Opens a door on a free port of 127.0.0.1. Use with `await using`. */
export async function startDoor(options: DoorOptions = {}): Promise<TestDoor> {
  const http = await serveHttp({
    gateway: testGateway(options),
    upgrades: options.upgrades ?? [],
    listen: { host: "127.0.0.1", port: 0 },
    log: options.log ?? silentLog,
    clock: systemClock,
    patience: options.patience ?? {},
  });
  const client = { endpoint: http.url, region: REGION, credentials: ROOT_KEY, maxAttempts: 1 };
  const ecs = new ECSClient(client);
  const logs = new CloudWatchLogsClient(client);
  return {
    url: http.url,
    port: http.port,
    ecs,
    logs,
    json: (service) =>
      createAwsJsonClient({
        endpoint: http.url,
        service,
        targetPrefix: targetOf(service),
        region: REGION,
        credentials: () => ROOT_KEY,
        clock: options.clock ?? systemClock,
      }),
    handshake: (path) => {
      const url = new URL(path, http.url.replace(/^http/, "ws"));
      const signed = { method: "GET", url, credentials: ROOT_KEY, service: "ecs", region: REGION };
      return { url: url.href, headers: signRequest({ ...signed, now: systemClock.now() }) };
    },
    [Symbol.asyncDispose]: async () => {
      ecs.destroy();
      logs.destroy();
      await http.close();
    },
  };
}

export interface RawCall {
  readonly service?: "ecs" | "logs";
  readonly operation?: string;
  readonly body?: string | Uint8Array;
  /** Beside the usual ones; all are signed. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly credentials?: Credentials;
  /** Epoch milliseconds. */
  readonly now?: number;
}

/** A signed request as bytes, for `gateway.handle`. */
export function rawRequest(call: RawCall = {}): RawRequest {
  const { service = "ecs", operation = "ListClusters", body = "{}" } = call;
  const headers = signRequest({
    method: "POST",
    url: new URL("http://127.0.0.1:4566/"),
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `${targetOf(service)}.${operation}`,
      ...call.headers,
    },
    body,
    credentials: call.credentials ?? ROOT_KEY,
    service,
    region: REGION,
    now: call.now ?? systemClock.now(),
  });
  return {
    method: "POST",
    target: "/",
    headers,
    body: typeof body === "string" ? Buffer.from(body) : body,
    sourceIp: "127.0.0.1",
    signal: new AbortController().signal,
  };
}

export interface SignedRequest {
  /** The signing name. */
  readonly service: string;
  readonly method?: string;
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly credentials?: Credentials;
  /** Epoch milliseconds. */
  readonly now?: number;
}

/** A signed request of any service and protocol as bytes. Default: a POST to `/`. */
export function signedRequest(request: SignedRequest): RawRequest {
  const { service, method = "POST", target = "/", body = "" } = request;
  const headers = signRequest({
    method,
    url: new URL(`http://127.0.0.1:4566${target}`),
    headers: request.headers ?? {},
    body,
    credentials: request.credentials ?? ROOT_KEY,
    service,
    region: REGION,
    now: request.now ?? systemClock.now(),
  });
  const signal = new AbortController().signal;
  return { method, target, headers, body: Buffer.from(body), sourceIp: "127.0.0.1", signal };
}

/** A GetCallerIdentity whose signature is in its query. Default: a GET, for ECS. */
export function presignedRequest(options: {
  readonly now: number;
  readonly expiresSeconds: number;
  readonly credentials?: Credentials;
  readonly service?: string;
  readonly method?: string;
}): RawRequest {
  const { service = "ecs", method = "GET" } = options;
  const { accessKeyId, secretAccessKey, sessionToken } = options.credentials ?? ROOT_KEY;
  const timestamp = amzTimestamp(options.now);
  const scope = { date: timestamp.slice(0, 8), region: REGION, service };
  const pairs: [string, string][] = [
    ["Action", "GetCallerIdentity"],
    ["X-Amz-Algorithm", SIGNING_ALGORITHM],
    ["X-Amz-Credential", `${accessKeyId}/${scope.date}/${REGION}/${service}/aws4_request`],
    ["X-Amz-Date", timestamp],
    ["X-Amz-Expires", String(options.expiresSeconds)],
    ["X-Amz-SignedHeaders", "host"],
  ];
  if (sessionToken !== undefined) pairs.push(["X-Amz-Security-Token", sessionToken]);
  const headers = { host: "127.0.0.1:4566" };
  const query = canonicalQuery(pairs);
  const canonical = canonicalRequest({
    method,
    path: "/",
    query,
    headers,
    signedHeaders: ["host"],
    payloadHash: EMPTY_PAYLOAD_HASH,
  });
  const key = signingKey(secretAccessKey, scope);
  const signature = hmacHex(key, stringToSign(timestamp, scope, canonical));
  return {
    method,
    target: `/?${query}&X-Amz-Signature=${signature}`,
    headers,
    body: new Uint8Array(),
    sourceIp: "127.0.0.1",
    signal: new AbortController().signal,
  };
}

/** The body of a reply as text. */
export function textOf(reply: RawReply): string {
  return Buffer.from(reply.body).toString();
}

/** `{__type, message}` of a JSON service's error, with its status. */
export function errorOf(reply: RawReply): { status: number; code: string; message: string } {
  const { __type: code, message } = JSON.parse(textOf(reply));
  return { status: reply.status, code, message };
}

export interface Echo {
  readonly service: Service;
  /** What the next call is answered with, and what it brought. */
  output: unknown;
  input: unknown;
}

/**
 * A service in which every operation notes its input and answers what it was told to. `validatesItself`: whatever is
 * missing, for clients whose models are older than our shapes.
 */
export function echoService(name: string, validatesItself = false): Echo {
  const operation: Operation<unknown> = {
    support: "full",
    action: `${name}:Any`,
    resources: () => ["*"],
    validatesItself,
    handle: async (input) => {
      echo.input = input;
      return echo.output;
    },
  };
  const names = loadShapes(name).operationNames();
  const operations = Object.fromEntries(names.map((each) => [each, operation]));
  const echo: Echo = { service: { name, operations }, output: undefined, input: undefined };
  return echo;
}

/** Prototypes, the class of byte arrays and members that are undefined are not part of a value. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Date || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return new Map(
    Object.entries(value)
      .filter(([, element]) => element !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, element]) => [key, plain(element)]),
  );
}

function targetOf(service: string): string {
  const row = SERVICE_TABLE.find(({ name }) => name === service);
  if (row === undefined) throw new Error(`no service ${service}`);
  return row.target;
}
