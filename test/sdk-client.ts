/** The SDK's client of any service, calling operations by name, without a socket: each request is a call of a gateway. */
import { Readable } from "node:stream";
import { AwsQueryProtocol, AwsSmithyRpcV2CborProtocol } from "@aws-sdk/core/protocols";
import { SOURCES } from "../scripts/generate-shapes.ts";
import type { RawReply, RawRequest } from "../src/door/raw.ts";
import type { ProtocolName } from "../src/door/wire/protocol.ts";
import { uriEncode } from "../src/lib/sigv4.ts";
import { REGION, ROOT_KEY } from "./door-kit.ts";

export type Value = Record<string, unknown>;

/** Calls an operation: the one place where the SDK's types are left. Answers the output without its metadata. */
export type Send = (operation: string, input: Value) => Promise<Value>;

/** The SDK's request, as far as it matters here. */
interface SdkRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

/** Whatever answers requests: a gateway, or something before one. */
export interface Answerer {
  handle(raw: RawRequest): Promise<RawReply>;
}

/** What a client is asked for in place of its own protocol. */
const OTHER_PROTOCOLS: Partial<Record<ProtocolName, unknown>> = {
  awsQuery: AwsQueryProtocol,
  rpcv2Cbor: AwsSmithyRpcV2CborProtocol,
};

/** A client of `service` that speaks its first protocol, or `protocol`. */
export async function sdkSender(
  gateway: Answerer,
  service: string,
  protocol?: ProtocolName,
): Promise<Send> {
  const source = SOURCES.find(({ name }) => name === service);
  if (source === undefined) throw new Error(`no service ${service}`);
  const sdk = (await import(source.package)) as Record<string, new (input: object) => object>;
  const Client = sdk[Object.keys(sdk).find((name) => /^[A-Z]\w*Client$/.test(name)) ?? ""];
  if (Client === undefined) throw new Error(`${source.package} has no client`);
  const other = protocol === undefined ? undefined : OTHER_PROTOCOLS[protocol];
  const client = new Client({
    endpoint: "http://127.0.0.1:4566",
    region: REGION,
    credentials: ROOT_KEY,
    maxAttempts: 1,
    disableHostPrefix: true,
    // With CBOR the SDK sends the length of the uncompressed body: such a request never ends.
    disableRequestCompression: protocol === "rpcv2Cbor",
    requestHandler: { handle: (request: SdkRequest) => handle(gateway, request) },
    ...(other === undefined ? {} : { protocol: other }),
  }) as { send(command: object): Promise<Value> };
  return async (operation, input) => {
    const Command = sdk[`${operation}Command`];
    if (Command === undefined) throw new Error(`${source.package} has no ${operation}`);
    const { $metadata: _, ...output } = await client.send(new Command(input));
    return output;
  };
}

async function handle(gateway: Answerer, request: SdkRequest): Promise<{ response: object }> {
  const reply = await gateway.handle({
    method: request.method,
    target: request.path + queryString(request.query),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [
        name.toLowerCase(),
        Buffer.from(value).toString("latin1"),
      ]),
    ),
    body: request.body === undefined ? new Uint8Array() : Buffer.from(request.body),
    sourceIp: "127.0.0.1",
    signal: new AbortController().signal,
  });
  const body = reply.stream === undefined ? Buffer.from(reply.body) : Readable.from(reply.stream);
  return { response: { statusCode: reply.status, headers: reply.headers, body } };
}

function queryString(query: SdkRequest["query"]): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ""].flat().map((one) => `${uriEncode(name)}=${uriEncode(one)}`),
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
