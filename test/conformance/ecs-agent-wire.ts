/** How amazon-ecs-agent 1.105 writes what it signs: Go's forms of a query, and the signature of a websocket and of its frames. */
import { createHash } from "node:crypto";
import {
  amzTimestamp,
  type Credentials,
  canonicalRequest,
  SIGNING_ALGORITHM,
  sign,
  signingKey,
  stringToSign,
} from "../../src/lib/sigv4.ts";
import { REGION } from "../door-kit.ts";

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
): { readonly url: string; readonly headers: Readonly<Record<string, string>> } {
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
  { accessKeyId, secretAccessKey }: Credentials,
): { Authorization: string; "X-Amz-Date": string } {
  const [, host = "", path = "", query = ""] = /^ws:\/\/([^/]+)([^?]*)\??(.*)$/.exec(url) ?? [];
  const timestamp = amzTimestamp(Date.now());
  const scope = { date: timestamp.slice(0, 8), region: REGION, service: "ecs" };
  const signedHeaders = ["host", "x-amz-date"];
  const canonical = canonicalRequest({
    method: "GET",
    path,
    query: query.replaceAll("+", "%20"),
    headers: { host, "x-amz-date": timestamp },
    signedHeaders,
    payloadHash: createHash("sha256").update(body).digest("hex"),
  });
  const key = signingKey(secretAccessKey, scope);
  const credential = `${accessKeyId}/${scope.date}/${REGION}/ecs/aws4_request`;
  return {
    Authorization: `${SIGNING_ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(";")}, Signature=${sign(key, stringToSign(timestamp, scope, canonical))}`,
    "X-Amz-Date": timestamp,
  };
}
