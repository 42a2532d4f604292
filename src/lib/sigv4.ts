/**
 * AWS Signature Version 4: the arithmetic that the signing and the verifying side share.
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * Header values are byte strings (one character per byte) as `node:http` has them; everything else is ASCII.
 */
import { hash } from "node:crypto";
import { type HmacKey, hmacHex, hmacKey } from "./hmac.ts";

export const SIGNING_ALGORITHM = "AWS4-HMAC-SHA256";

/** SHA-256 of nothing: the payload hash of every request without a body. */
export const EMPTY_PAYLOAD_HASH =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What a signature covers besides the request: `20150830/us-east-1/ecs/aws4_request`. */
export interface CredentialScope {
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export interface SignRequestInput {
  readonly method: string;
  readonly url: URL;
  /** Further headers to sign and send. Names in any case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly credentials: Credentials;
  readonly service: string;
  readonly region: string;
  /** Epoch milliseconds. */
  readonly now: number;
}

/**
 * The headers to send: the given ones in lower case, `host`, `x-amz-date`, the session token and `authorization`.
 * For a websocket handshake give no headers and no body: then only `host` and `x-amz-*` are signed. Who signs often does so
 * with what {@link createSigner} makes.
 */
export function signRequest(
  input: SignRequestInput,
  { keyOf, queryOf }: SigningParts = { keyOf: signingKey, queryOf: queryOfUrl },
): Record<string, string> {
  const { credentials, url } = input;
  const timestamp = amzTimestamp(input.now);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(input.headers ?? {})) {
    headers[name.toLowerCase()] = value;
  }
  headers.host = url.host;
  headers["x-amz-date"] = timestamp;
  if (credentials.sessionToken !== undefined) {
    headers["x-amz-security-token"] = credentials.sessionToken;
  }
  const scope = { date: timestamp.slice(0, 8), region: input.region, service: input.service };
  const signedHeaders = Object.keys(headers).sort();
  const canonical = canonicalRequest({
    method: input.method,
    path: url.pathname,
    query: queryOf(url),
    headers,
    signedHeaders,
    payloadHash: input.body === undefined ? EMPTY_PAYLOAD_HASH : sha256Hex(input.body),
  });
  const signature = hmacHex(
    keyOf(credentials.secretAccessKey, scope),
    stringToSign(timestamp, scope, canonical),
  );
  headers.authorization =
    `${SIGNING_ALGORITHM} Credential=${credentials.accessKeyId}/${formatScope(scope)}, ` +
    `SignedHeaders=${signedHeaders.join(";")}, Signature=${signature}`;
  return headers;
}

export interface CanonicalParts {
  readonly method: string;
  /** As sent, percent-encoded. */
  readonly path: string;
  /** From {@link canonicalQuery}. */
  readonly query: string;
  /** Lower-case names. A signed header that is absent counts as empty. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Lower-case and sorted. */
  readonly signedHeaders: readonly string[];
  readonly payloadHash: string;
}

/** The text whose hash is signed. */
export function canonicalRequest(parts: CanonicalParts): string {
  let headers = "";
  for (const name of parts.signedHeaders) {
    headers += `${name}:${canonicalHeaderValue(parts.headers[name] ?? "")}\n`;
  }
  return (
    `${parts.method}\n${canonicalPath(parts.path)}\n${parts.query}\n` +
    `${headers}\n${parts.signedHeaders.join(";")}\n${parts.payloadHash}`
  );
}

/** The text that is signed. `timestamp` is the request's `X-Amz-Date`. */
export function stringToSign(timestamp: string, scope: CredentialScope, canonical: string): string {
  // Header values are byte strings: latin1 restores the very bytes that were sent.
  const digest = sha256Hex(Buffer.from(canonical, "latin1"));
  return `${SIGNING_ALGORITHM}\n${timestamp}\n${formatScope(scope)}\n${digest}`;
}

/** The key for one day, region and service. Costs four HMACs: whoever needs it often keeps it. */
export function signingKey(secretAccessKey: string, scope: CredentialScope): HmacKey {
  const secret = Buffer.from(`AWS4${secretAccessKey}`);
  return [scope.date, scope.region, scope.service, "aws4_request"].reduce(
    (key, part) => hmacKey(Buffer.from(hmacHex(key, part), "hex")),
    hmacKey(secret),
  );
}

/** What a signature is made with that follows from few things. */
interface SigningParts {
  readonly keyOf: typeof signingKey;
  /** The canonical query of a URL. */
  readonly queryOf: (url: URL) => string;
}

/**
 * A {@link signRequest} that keeps what it needed last: a caller signs all that it says in a day with one key, and all that it
 * says on a connection for one URL.
 */
export function createSigner(): (input: SignRequestInput) => Record<string, string> {
  let last: { readonly secret: string; readonly scope: string; readonly key: HmacKey } | undefined;
  let query = { search: "", canonical: "" };
  const parts: SigningParts = {
    keyOf: (secret, scope) => {
      const text = formatScope(scope);
      if (last?.secret !== secret || last.scope !== text) {
        last = { secret, scope: text, key: signingKey(secret, scope) };
      }
      return last.key;
    },
    queryOf: (url) => {
      const { search } = url;
      if (search !== query.search) query = { search, canonical: queryOfUrl(url) };
      return query.canonical;
    },
  };
  return (input) => signRequest(input, parts);
}

function queryOfUrl({ search }: URL): string {
  return canonicalQuery(parseQuery(search.slice(1)));
}

/** SHA-256 in lower-case hex. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}

/** `20150830T123600Z` of epoch milliseconds. */
export function amzTimestamp(ms: number): string {
  const text = new Date(ms).toISOString();
  const date = text.slice(0, 4) + text.slice(5, 7) + text.slice(8, 10);
  return `${date}T${text.slice(11, 13)}${text.slice(14, 16)}${text.slice(17, 19)}Z`;
}

/** Epoch milliseconds of `20150830T123600Z`; `undefined` when it is not such a text. By hand: each call asks once. */
export function parseAmzTimestamp(text: string): number | undefined {
  if (text.length !== 16 || text[8] !== "T" || text[15] !== "Z") return undefined;
  const [year, month, day] = [digits(text, 0, 4), digits(text, 4, 2), digits(text, 6, 2)];
  const [hour, minute, second] = [digits(text, 9, 2), digits(text, 11, 2), digits(text, 13, 2)];
  const isDate = year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
  const isTime = hour < 24 && minute < 60 && second < 60;
  return isDate && isTime ? Date.UTC(year, month - 1, day, hour, minute, second) : undefined;
}

/** The number that `count` characters spell; NaN when one of them is no digit. */
function digits(text: string, start: number, count: number): number {
  let number = 0;
  for (let at = start; at < start + count; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    number = digit >= 0 && digit <= 9 ? number * 10 + digit : Number.NaN;
  }
  return number;
}

/**
 * The decoded name-value pairs of a query string, in order. `+` is a space: who writes queries as forms (Go's `url.Values`, and
 * with it the ECS agent) sends one so, and signs it as the `%20` of SigV4. A plus sign is sent as `%2B` by everybody.
 */
export function parseQuery(query: string): [name: string, value: string][] {
  if (query === "") return [];
  return query.split("&").map((pair) => {
    const equals = pair.indexOf("=");
    return equals < 0
      ? [decodePercent(pair), ""]
      : [decodePercent(pair.slice(0, equals)), decodePercent(pair.slice(equals + 1))];
  });
}

/** Pairs encoded and sorted by encoded name, then value. */
export function canonicalQuery(pairs: readonly (readonly [string, string])[]): string {
  if (pairs.length === 0) return "";
  return pairs
    .map(([name, value]): [string, string] => [uriEncode(name), uriEncode(value)])
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** RFC 3986 percent-encoding of everything but `A–Z a–z 0–9 - . _ ~`. */
export function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Dot segments and empty segments go; the path as sent is then encoded once more (all services but S3). */
function canonicalPath(path: string): string {
  if (path === "/" || path === "") return "/";
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  const normalised = `/${kept.join("/")}${kept.length > 0 && path.endsWith("/") ? "/" : ""}`;
  return uriEncode(normalised).replaceAll("%2F", "/");
}

/** Not `trim()`: its idea of a space takes bytes of UTF-8 with it. No expression: that would try the end from every blank. */
function canonicalHeaderValue(value: string): string {
  let [start, end] = [0, value.length];
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  const trimmed = value.slice(start, end);
  return trimmed.includes("  ") ? trimmed.replaceAll(/ {2,}/g, " ") : trimmed;
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

function formatScope(scope: CredentialScope): string {
  return `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
}

function decodePercent(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Not UTF-8: kept as it is. The signature then covers the text with its percent signs encoded.
    return spaced;
  }
}
