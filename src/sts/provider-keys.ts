import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { ApiError, messageOf } from "../lib/errors.ts";
import type { FindProviderKeys } from "./deps.ts";
import type { JsonWebKeySet } from "./jwt.ts";

export interface ProviderKeysDeps {
  readonly clock: Clock;
  /** The operator's own key sets: `<URL of the provider, percent-encoded>.json`, for providers that cannot be reached. */
  readonly directory: string;
  /** A document of the provider. Rejects when it cannot be had. */
  readonly fetchJson: (url: string) => Promise<unknown>;
}

/** Chosen: how long a provider's keys are believed, which is how long a key that it withdraws still opens roles. */
const KEPT_MS = 5 * 60_000;
/** Chosen: providers whose keys are kept. */
const PROVIDERS_MAX = 1_000;

/**
 * Finds the keys of providers: in the operator's directory, else by OpenID Connect discovery, which goes to the provider
 * over TLS. A provider is asked once in a while, however many tokens come.
 */
export function createFindProviderKeys(deps: ProviderKeysDeps): FindProviderKeys {
  const kept = new Map<string, { readonly keys: Promise<JsonWebKeySet>; readonly at: number }>();
  return (url) => {
    const now = deps.clock.now();
    const known = kept.get(url);
    if (known !== undefined && now - known.at < KEPT_MS) return known.keys;
    const keys = find(deps, url);
    kept.delete(url);
    const [oldest] = kept.keys();
    if (kept.size >= PROVIDERS_MAX && oldest !== undefined) kept.delete(oldest);
    kept.set(url, { keys, at: now });
    // A failure is nobody's answer but that of those who wait for it.
    keys.catch(() => kept.delete(url));
    return keys;
  };
}

async function find(
  { directory, fetchJson }: ProviderKeysDeps,
  url: string,
): Promise<JsonWebKeySet> {
  try {
    const given = await readGiven(join(directory, `${encodeURIComponent(url)}.json`));
    if (given !== undefined) return toKeySet(given);
    const { jwks_uri: address } = (await fetchJson(
      `https://${url}/.well-known/openid-configuration`,
    )) as { readonly jwks_uri?: unknown };
    if (typeof address !== "string" || !address.startsWith("https://")) {
      throw new Error("its configuration names no jwks_uri");
    }
    return toKeySet(await fetchJson(address));
  } catch (error) {
    const reason = messageOf(error).slice(0, 200);
    throw new ApiError(
      "IDPCommunicationErrorException",
      `The keys of https://${url} cannot be read: ${reason}`,
    );
  }
}

async function readGiven(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENAMETOOLONG") return undefined;
    throw error;
  }
}

function toKeySet(document: unknown): JsonWebKeySet {
  const { keys } = (document ?? {}) as { readonly keys?: unknown };
  if (Array.isArray(keys)) return { keys: keys.filter((key) => typeof key === "object" && key) };
  throw new Error("that is no JSON Web Key Set");
}

/** Chosen. */
const FETCH_MS_MAX = 5_000;
const DOCUMENT_BYTES_MAX = 2 ** 20;

/** Reads a JSON document over HTTPS, from that very address and within limits. */
export async function fetchJson(url: string): Promise<unknown> {
  const response = await fetch(url, {
    redirect: "error",
    signal: AbortSignal.timeout(FETCH_MS_MAX),
  });
  if (!response.ok || response.body === null) throw new Error(`${url} answers ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > DOCUMENT_BYTES_MAX) throw new Error(`${url} is too large`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}
