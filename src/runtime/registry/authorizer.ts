/** Answers what registries ask for: a name and a password, or a token that the registry's token service gives for them. */
import { createHash } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import { parseChallenges } from "./challenge.ts";
import type { RegistryCredentials } from "./logins.ts";
import {
  accessDenied,
  RegistryError,
  type Subject,
  statusError,
  unusable,
} from "./registry-error.ts";
import { type RegistryResponse, readText, type Transport } from "./transport.ts";

/** For whom and for what something is asked. */
export interface Access {
  /** The registry's, e.g. `https://registry-1.docker.io`. */
  readonly origin: string;
  /** Path within the registry. */
  readonly repository: string;
  readonly credentials: RegistryCredentials | undefined;
  readonly subject: Subject;
  /** Whether certificates must convince. */
  readonly verify: boolean;
}

export interface Authorizer {
  /** The Authorization header that served last time, if there is one and it has not expired. */
  known(access: Access): string | undefined;
  /** The header that a 401 asks for. Throws RegistryError when it cannot be had. */
  answer(access: Access, refusal: RegistryResponse, signal: AbortSignal): Promise<string>;
}

interface Known {
  readonly header: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** The token specification's default. */
const TOKEN_SECONDS_DEFAULT = 60;
/** A token is not used in its last moments: what is asked with it would come too late. */
const TOKEN_MARGIN_MS = 10_000;
/** Chosen: repositories and callers whose tokens are kept. */
const KNOWN_MAX = 1000;
const TOKEN_BYTES_MAX = 256 * 1024;
const CLIENT_ID = "gantry";

/** Keeps tokens in memory, each for its repository and caller. */
export function createAuthorizer(transport: Transport, clock: Pick<Clock, "now">): Authorizer {
  const cache = new Map<string, Known>();
  return {
    known: (access) => {
      const found = cache.get(keyOf(access));
      return found !== undefined && found.expiresAt > clock.now() ? found.header : undefined;
    },
    answer: async (access, refusal, signal) => {
      const challenges = parseChallenges(refusal.headers["www-authenticate"] ?? "");
      const bearer = challenges.find(({ scheme }) => scheme === "bearer");
      const known =
        bearer === undefined
          ? { header: basicHeader(access), expiresAt: Number.POSITIVE_INFINITY }
          : await fetchToken({ transport, clock }, access, bearer.parameters, signal);
      cache.delete(keyOf(access));
      cache.set(keyOf(access), known);
      if (cache.size > KNOWN_MAX) cache.delete(cache.keys().next().value ?? "");
      return known.header;
    },
  };
}

function keyOf({ origin, repository, credentials }: Access): string {
  const caller = createHash("sha256").update(JSON.stringify(credentials ?? null));
  return `${origin} ${repository} ${caller.digest("base64")}`;
}

function basicHeader({ credentials, origin, subject }: Access): string {
  if (credentials === undefined || !("username" in credentials)) {
    throw accessDenied(subject, `Get "${origin}/v2/": no basic auth credentials`);
  }
  const { username, password } = credentials;
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

async function fetchToken(
  { transport, clock }: { readonly transport: Transport; readonly clock: Pick<Clock, "now"> },
  access: Access,
  parameters: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Known> {
  const realm = realmOf(access, parameters.realm ?? "");
  const scope = parameters.scope ?? `repository:${access.repository}:pull`;
  const service = parameters.service ?? "";
  const { credentials, verify } = access;
  const isRefresh = credentials !== undefined && "identityToken" in credentials;
  const response = await transport.send(
    isRefresh
      ? {
          method: "POST",
          url: realm,
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: new URLSearchParams({
            grant_type: "refresh_token",
            refresh_token: credentials.identityToken,
            service,
            scope,
            client_id: CLIENT_ID,
          }).toString(),
          verify,
        }
      : {
          method: "GET",
          url: withQuery(realm, { service, scope }),
          headers: credentials === undefined ? {} : { authorization: basicHeader(access) },
          verify,
        },
    signal,
  );
  const body = await readText(response.body, TOKEN_BYTES_MAX);
  if (response.status === 401 || response.status === 403) {
    const reason =
      credentials === undefined
        ? "denied: requested access to the resource is denied"
        : "unauthorized: incorrect username or password";
    throw accessDenied(access.subject, reason);
  }
  if (response.status !== 200) {
    const { failure, message, retryAfterMs } = statusError(
      response.status,
      response.headers,
      body,
      access.subject,
    );
    const facts = { failure: failure === "notFound" ? "unusable" : failure, retryAfterMs } as const;
    throw new RegistryError(`cannot get a token from ${realm.origin}: ${message}`, facts);
  }
  return tokenOf(realm, body, clock.now());
}

/** A registry that is spoken to over TLS may not have passwords sent elsewhere in the clear. */
function realmOf({ origin }: Access, text: string): URL {
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe = realm?.protocol === "https:" || origin.startsWith("http:");
  if (realm === undefined || !/^https?:$/.test(realm.protocol) || !isSafe) {
    throw unusable(`${origin} names no usable token service: "${text}"`);
  }
  return realm;
}

function withQuery(realm: URL, parameters: Readonly<Record<string, string>>): URL {
  const url = new URL(realm);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "") url.searchParams.set(name, value);
  }
  return url;
}

function tokenOf(realm: URL, body: string, now: number): Known {
  let document: { token?: unknown; access_token?: unknown; expires_in?: unknown };
  try {
    document = JSON.parse(body) as typeof document;
  } catch {
    document = {};
  }
  const token = document.token ?? document.access_token;
  if (typeof token !== "string" || token === "" || /[\r\n]/.test(token)) {
    throw unusable(`${realm.origin} answered without a token`);
  }
  const seconds = Number(document.expires_in) || TOKEN_SECONDS_DEFAULT;
  return { header: `Bearer ${token}`, expiresAt: now + seconds * 1000 - TOKEN_MARGIN_MS };
}
