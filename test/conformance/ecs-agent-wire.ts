/** How amazon-ecs-agent 1.105 writes what it signs: its API calls, Go's forms of a query, a websocket's handshake, and its frames. */
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { hmacHex } from "../../src/lib/hmac.ts";
import {
  amzTimestamp,
  type Credentials,
  canonicalRequest,
  SIGNING_ALGORITHM,
  signingKey,
  stringToSign,
} from "../../src/lib/sigv4.ts";
import { REGION } from "../door-kit.ts";

const USER_AGENT =
  "Amazon ECS Agent - v1.105.1 (*a8b3e7d3) (linux; amzn_2) (+http://aws.amazon.com/ecs/)";

type Headers = Readonly<Record<string, string>>;

/** One call as the SDK for Go makes it: these headers, of which it signs all but the agent's name and the encoding. Throws by the error's type. */
export async function callApi(
  origin: string,
  credentials: Credentials,
  operation: string,
  input: object,
): Promise<unknown> {
  const body = JSON.stringify(input);
  const url = new URL(origin);
  const signed = {
    "amz-sdk-invocation-id": randomUUID(),
    "amz-sdk-request": "attempt=1; max=3",
    "content-length": String(Buffer.byteLength(body)),
    "content-type": "application/x-amz-json-1.1",
    host: url.host,
    "x-amz-date": amzTimestamp(Date.now()),
    "x-amz-target": `AmazonEC2ContainerServiceV20141113.${operation}`,
  };
  const authorization = authorize(
    { method: "POST", path: "/", query: "" },
    signed,
    body,
    credentials,
  );
  const headers = {
    ...signed,
    authorization,
    "user-agent": USER_AGENT,
    "accept-encoding": "identity",
  };
  const call = request({ host: url.hostname, port: url.port, method: "POST", headers });
  call.end(body);
  const [response] = (await once(call, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
  const answer = JSON.parse(text);
  if (response.statusCode === 200) return answer;
  const type = String(answer.__type).replace(/^.*#/, "");
  throw Object.assign(new Error(`${type}: ${answer.message}`), { name: type });
}

/** Go's `url.Values.Encode`: sorted by name, and a space is a plus sign. */
export function encodeQuery(parameters: Readonly<Record<string, string>>): string {
  return Object.keys(parameters)
    .toSorted()
    .map((name) => `${queryEscape(name)}=${queryEscape(parameters[name] ?? "")}`)
    .join("&");
}

/** Go's `url.QueryEscape`. */
function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll("%20", "+")
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A handshake at `<origin><path>`: host and date are signed and nothing else is; the query as SigV4 has it, not as it is sent. */
export function signedHandshake(
  origin: string,
  path: string,
  credentials: Credentials,
): { readonly url: string; readonly headers: Headers } {
  const url = `${origin.replace(/^http/, "ws")}${path}`;
  const headers = { ...signature(url, "", credentials), "User-Agent": "Go-http-client/1.1" };
  return { url, headers };
}

/** A frame of TCS: the headers of a signature over its JSON, an empty line, the JSON. */
export function telemetryFrame(url: string, message: object, credentials: Credentials): string {
  const body = JSON.stringify(message);
  const lines = Object.entries({ Host: new URL(url).host, ...signature(url, body, credentials) });
  return `${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

function signature(
  url: string,
  body: string,
  credentials: Credentials,
): { Authorization: string; "X-Amz-Date": string } {
  const [, host = "", path = "", query = ""] = /^ws:\/\/([^/]+)([^?]*)\??(.*)$/.exec(url) ?? [];
  const signed = { host, "x-amz-date": amzTimestamp(Date.now()) };
  const target = { method: "GET", path, query: query.replaceAll("+", "%20") };
  const Authorization = authorize(target, signed, body, credentials);
  return { Authorization, "X-Amz-Date": signed["x-amz-date"] };
}

/** The value of the header for a request whose `signed` headers, in lower case, are all signed. */
function authorize(
  target: { readonly method: string; readonly path: string; readonly query: string },
  signed: Headers & { readonly "x-amz-date": string },
  body: string,
  { accessKeyId, secretAccessKey }: Credentials,
): string {
  const timestamp = signed["x-amz-date"];
  const scope = { date: timestamp.slice(0, 8), region: REGION, service: "ecs" };
  const signedHeaders = Object.keys(signed).toSorted();
  const payloadHash = createHash("sha256").update(body).digest("hex");
  const canonical = canonicalRequest({ ...target, headers: signed, signedHeaders, payloadHash });
  const text = stringToSign(timestamp, scope, canonical);
  const credential = `${accessKeyId}/${scope.date}/${REGION}/ecs/aws4_request`;
  return `${SIGNING_ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(";")}, Signature=${hmacHex(signingKey(secretAccessKey, scope), text)}`;
}
