import { createPublicKey, type JsonWebKey, type KeyObject, verify } from "node:crypto";

/** JSON Web Tokens and the keys that sign them: RFC 7519, 7517, 7518. Pure. */

export interface JsonWebKeySet {
  readonly keys: readonly (JsonWebKey & { readonly kid?: string; readonly alg?: string })[];
}

export interface Jwt {
  readonly header: { readonly alg?: unknown; readonly kid?: unknown };
  readonly claims: Readonly<Record<string, unknown>>;
  /** What is signed, and the signature. */
  readonly signed: string;
  readonly signature: Uint8Array;
}

/** Reads a token without believing it; undefined for what is none. */
export function parseJwt(token: string): Jwt | undefined {
  const match = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(token);
  if (match === null) return undefined;
  const [, header = "", claims = "", signature = ""] = match;
  const headerJson = readPart(header);
  const claimsJson = readPart(claims);
  if (headerJson === undefined || claimsJson === undefined) return undefined;
  return {
    header: headerJson,
    claims: claimsJson,
    signed: `${header}.${claims}`,
    signature: Buffer.from(signature, "base64url"),
  };
}

function readPart(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    // No JSON: no token.
    return undefined;
  }
}

/** The two algorithms that STS takes, and what their keys are. Anything else, `none` above all, verifies nothing. */
const ALGORITHMS: Readonly<Record<string, { readonly keyType: string; readonly curve?: string }>> =
  {
    RS256: { keyType: "RSA" },
    ES256: { keyType: "EC", curve: "P-256" },
  };

/** Whether one of the keys has signed a token. `unknownKey`: none of them is the one that it names. */
export function verifyJwt(jwt: Jwt, { keys }: JsonWebKeySet): "valid" | "invalid" | "unknownKey" {
  const { alg, kid } = jwt.header;
  const wanted = typeof alg === "string" && Object.hasOwn(ALGORITHMS, alg) && ALGORITHMS[alg];
  if (!wanted) return "invalid";
  const fitting = keys.filter(
    (key) =>
      key.kty === wanted.keyType &&
      (wanted.curve === undefined || key.crv === wanted.curve) &&
      (key.alg === undefined || key.alg === alg) &&
      (kid === undefined || key.kid === undefined || key.kid === kid),
  );
  if (fitting.length === 0) return "unknownKey";
  return fitting.some((key) => isSignedBy(jwt, key)) ? "valid" : "invalid";
}

function isSignedBy({ signed, signature }: Jwt, jwk: JsonWebKey): boolean {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk, format: "jwk" });
  } catch {
    // Not a key: it has signed nothing.
    return false;
  }
  // IEEE P1363 is JOSE's form of an ECDSA signature; RSA has one form only.
  return verify("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }, signature);
}
