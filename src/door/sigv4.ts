/**
 * Verifies AWS Signature Version 4, in the header form and in the presigned (query) form. Every call passes here:
 * there is no way to skip it. Chunk signing (`STREAMING-…`) and unsigned payloads are S3's alone and refused.
 */
import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { type HmacKey, hmacHex } from "../lib/hmac.ts";
import {
  amzTimestamp,
  type CredentialScope,
  canonicalQuery,
  canonicalRequest,
  EMPTY_PAYLOAD_HASH,
  parseAmzTimestamp,
  parseQuery,
  SIGNING_ALGORITHM,
  sha256Hex,
  signingKey,
  stringToSign,
} from "../lib/sigv4.ts";
import type { FindIdentity } from "./authorize.ts";
import {
  expiredToken,
  incompleteSignature,
  invalidSignature,
  missingAuthentication,
  unknownKey,
} from "./errors.ts";
import { PRESIGNED_SECONDS_MAX, SIGNING_KEYS_MAX, SKEW_MS_MAX } from "./limits.ts";
import { type RawRequest, splitTarget } from "./raw.ts";
import type { Principal } from "./service.ts";

/** `<credential>, SignedHeaders=<names>` and the signature. */
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 +Credential=([^\s,]+, *SignedHeaders=[^\s,]+), *Signature=([^\s,]+)$/;
const HEAD_SEPARATOR = /, *SignedHeaders=/;
const CREDENTIAL = /^([\w-]{1,128})\/(\d{8})\/([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})\/aws4_request$/;
const SIGNATURE = /^[0-9a-f]{64}$/;

export interface Verified {
  readonly principal: Principal;
  /** From the credential scope, like `service`, which is a signing name. */
  readonly region: string;
  readonly service: string;
  /** Epoch milliseconds, in whole seconds. */
  readonly signedAt: number;
}

/** What a caller says alike in all its calls of a day to one service. */
interface ClaimHead {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** Sorted; `host` is one of them. */
  readonly signedHeaders: readonly string[];
}

/** What either form says, before anything is believed. */
interface Claim {
  readonly head: ClaimHead;
  /** What the head was read from, for the header form. */
  readonly headText: string | undefined;
  readonly known: KnownHead | undefined;
  readonly signature: string;
  readonly timestamp: string;
  readonly sessionToken: string | undefined;
  /** Seconds, for the presigned form. */
  readonly expiresSeconds: number | undefined;
  readonly canonicalQuery: string;
}

/** A head that has signed before, and the key it did so with. */
interface KnownHead {
  readonly head: ClaimHead;
  /** The key is good for this secret only: secrets rotate. */
  readonly secretAccessKey: string;
  readonly key: HmacKey;
}

/** Verifies requests and keeps the signing keys it derived. */
export class SignatureVerifier {
  readonly #findIdentity: FindIdentity;
  readonly #clock: Clock;
  /** By the text they were read from, which callers repeat. */
  readonly #known = new Map<string, KnownHead>();

  constructor(deps: { findIdentity: FindIdentity; clock: Clock }) {
    this.#findIdentity = deps.findIdentity;
    this.#clock = deps.clock;
  }

  /** Who signed `raw`, and for what. Throws the door's authentication errors. */
  verify(raw: RawRequest): Verified {
    const { path, query } = splitTarget(raw.target);
    const authorization = raw.headers.authorization;
    const claim =
      authorization === undefined
        ? presignedClaim(parseQuery(query))
        : this.#headerClaim(authorization, raw, query);
    const { accessKeyId, scope, signedHeaders } = claim.head;
    checkAllSigned(signedHeaders, raw);
    const payloadHash = checkedPayloadHash(raw);
    const identity = this.#findIdentity(accessKeyId, claim.sessionToken);
    if (identity === undefined) throw unknownKey();
    if (identity === "expired") throw expiredToken();
    const signedAt = checkTime(claim, this.#clock.now());
    const canonical = canonicalRequest({
      method: raw.method,
      path,
      query: claim.canonicalQuery,
      headers: raw.headers,
      signedHeaders,
      payloadHash,
    });
    const { secretAccessKey, principal } = identity;
    const { known, headText } = claim;
    const isKnown = known?.secretAccessKey === secretAccessKey;
    const key = isKnown ? known.key : signingKey(secretAccessKey, scope);
    const expected = hmacHex(key, stringToSign(claim.timestamp, scope, canonical));
    if (!isSameSignature(expected, claim.signature)) throw invalidSignature();
    // Only now: strangers fill no cache, and cannot push out what others need.
    if (headText !== undefined && !isKnown) {
      keep(this.#known, headText, { head: claim.head, secretAccessKey, key });
    }
    return { principal, region: scope.region, service: scope.service, signedAt };
  }

  #headerClaim(authorization: string, raw: RawRequest, query: string): Claim {
    const [, headText, signature] = AUTHORIZATION.exec(authorization) ?? [];
    if (headText === undefined || signature === undefined) {
      throw incompleteSignature(
        `Authorization header must be of the form '${SIGNING_ALGORITHM} Credential=…, SignedHeaders=…, Signature=…'.`,
      );
    }
    const timestamp = raw.headers["x-amz-date"];
    if (timestamp === undefined) {
      throw incompleteSignature(
        "Authorization header requires existence of a 'X-Amz-Date' header.",
      );
    }
    const known = this.#known.get(headText);
    return {
      head: known?.head ?? readHead(headText),
      headText,
      known,
      signature,
      timestamp,
      sessionToken: raw.headers["x-amz-security-token"],
      expiresSeconds: undefined,
      canonicalQuery: query === "" ? "" : canonicalQuery(parseQuery(query)),
    };
  }
}

const SIGNATURE_LENGTH = 64;
/** Where signatures are compared: nothing else runs meanwhile. */
const [LEFT, RIGHT] = [Buffer.alloc(SIGNATURE_LENGTH), Buffer.alloc(SIGNATURE_LENGTH)];

/** In constant time. */
function isSameSignature(expected: string, claimed: string): boolean {
  // The pattern first: a hex decoder would drop trailing rubbish and call the rest equal.
  if (!SIGNATURE.test(claimed)) return false;
  LEFT.write(expected, "latin1");
  RIGHT.write(claimed, "latin1");
  return timingSafeEqual(LEFT, RIGHT);
}

/** Adds to a cache, at the cost of its oldest entry when it is full. */
function keep<Value>(cache: Map<string, Value>, key: string, value: Value): void {
  if (cache.size >= SIGNING_KEYS_MAX) {
    const [oldest] = cache.keys();
    if (oldest !== undefined) cache.delete(oldest);
  }
  cache.set(key, value);
}

/** Whether a request says that it is signed, in either form. */
export function isSigned(raw: RawRequest): boolean {
  return raw.headers.authorization !== undefined || /[?&]X-Amz-Signature=/.test(raw.target);
}

/** The service that a request's signature claims to be for: good for the form of an error, not for any decision. */
export function claimedService(raw: RawRequest): string | undefined {
  const { authorization } = raw.headers;
  const text = authorization ?? decodeQuery(splitTarget(raw.target).query);
  // No key is longer: without the limit each further `Credential=` would be read on to the end.
  return /Credential=[^\s,&/]{0,128}\/\d{8}\/[a-z0-9-]{1,64}\/([a-z0-9-]{1,64})\//.exec(text)?.[1];
}

function decodeQuery(query: string): string {
  return query.replaceAll(/%2f/gi, "/");
}

function presignedClaim(pairs: readonly (readonly [string, string])[]): Claim {
  const parameters = new Map(pairs);
  const signature = parameters.get("X-Amz-Signature");
  if (signature === undefined) throw missingAuthentication();
  const required = (name: string): string => {
    const value = parameters.get(name);
    if (value === undefined) {
      throw incompleteSignature(`AWS query-string parameters must include '${name}'.`);
    }
    return value;
  };
  if (required("X-Amz-Algorithm") !== SIGNING_ALGORITHM) {
    throw incompleteSignature(`X-Amz-Algorithm must be ${SIGNING_ALGORITHM}.`);
  }
  const expires = required("X-Amz-Expires");
  if (!/^\d{1,6}$/.test(expires) || Number(expires) > PRESIGNED_SECONDS_MAX) {
    throw invalidSignature(`X-Amz-Expires must be at most ${PRESIGNED_SECONDS_MAX} seconds.`);
  }
  return {
    head: claimHead(required("X-Amz-Credential"), required("X-Amz-SignedHeaders")),
    headText: undefined,
    known: undefined,
    signature,
    timestamp: required("X-Amz-Date"),
    sessionToken: parameters.get("X-Amz-Security-Token"),
    expiresSeconds: Number(expires),
    canonicalQuery: canonicalQuery(pairs.filter(([name]) => name !== "X-Amz-Signature")),
  };
}

function readHead(text: string): ClaimHead {
  const [credential = "", signedHeaders = ""] = text.split(HEAD_SEPARATOR);
  return claimHead(credential, signedHeaders);
}

/** Canonical form wants the names sorted; a repeated one would sign one header twice. */
function claimHead(credential: string, signedHeaders: string): ClaimHead {
  const [, accessKeyId, date, region, service] = CREDENTIAL.exec(credential) ?? [];
  if (
    accessKeyId === undefined ||
    date === undefined ||
    region === undefined ||
    service === undefined
  ) {
    throw incompleteSignature(
      "Credential must have exactly 5 slash-delimited elements: key/date/region/service/aws4_request.",
    );
  }
  const names = signedHeaders.split(";");
  const isSorted = names.every((name, at) => at === 0 || (names[at - 1] as string) < name);
  if (!isSorted) throw invalidSignature();
  if (!names.includes("host")) throw unsignedHeader("Host");
  return { accessKeyId, scope: { date, region, service }, signedHeaders: names };
}

/**
 * What decides how a request is understood must be under the signature: the host, and every `x-amz-` header (the
 * target names the operation).
 */
function checkAllSigned(signedHeaders: readonly string[], raw: RawRequest): void {
  for (const name in raw.headers) {
    if (name.startsWith("x-amz-") && !signedHeaders.includes(name)) throw unsignedHeader(name);
  }
}

function unsignedHeader(name: string): Error {
  return invalidSignature(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
}

function checkedPayloadHash(raw: RawRequest): string {
  const actual = raw.body.length === 0 ? EMPTY_PAYLOAD_HASH : sha256Hex(raw.body);
  const claimed = raw.headers["x-amz-content-sha256"];
  if (claimed !== undefined && claimed !== actual) {
    throw invalidSignature("The value of 'x-amz-content-sha256' is not the hash of the body.");
  }
  return actual;
}

/** When it was signed, which must be about now. */
function checkTime(claim: Claim, now: number): number {
  const signedAt = parseAmzTimestamp(claim.timestamp);
  if (signedAt === undefined) {
    throw incompleteSignature("Date must be in ISO-8601 'basic format'.");
  }
  if (claim.timestamp.slice(0, 8) !== claim.head.scope.date) {
    throw invalidSignature(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${claim.head.scope.date}' != '${claim.timestamp.slice(0, 8)}'.`,
    );
  }
  if (signedAt > now + SKEW_MS_MAX) {
    const latest = amzTimestamp(now + SKEW_MS_MAX);
    throw invalidSignature(
      `Signature not yet current: ${claim.timestamp} is still later than ${latest} (${amzTimestamp(now)} + 5 min.)`,
    );
  }
  const lifeMs = claim.expiresSeconds === undefined ? SKEW_MS_MAX : claim.expiresSeconds * 1000;
  if (signedAt < now - lifeMs) {
    const earliest = amzTimestamp(now - lifeMs);
    const margin = claim.expiresSeconds === undefined ? "5 min" : `${claim.expiresSeconds} sec`;
    throw invalidSignature(
      `Signature expired: ${claim.timestamp} is now earlier than ${earliest} (${amzTimestamp(now)} - ${margin}.)`,
    );
  }
  return signedAt;
}
