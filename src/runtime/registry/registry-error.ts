/** What goes wrong between us and a registry, said as Docker says it: people and tools know these texts. */
import { http } from "../../lib/builtins.ts";
import type { PullFailure } from "../pull.ts";

/** What is known of a failed request. */
export interface RegistryFailure {
  readonly failure: PullFailure;
  /** The registry's own wish (Retry-After), if it has one. Milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** Nobody is there, by the word of the network: who waits for something that is just being started may try again. */
  readonly isAbsence?: boolean;
  /** What a person can do about it. */
  readonly remedy?: string | undefined;
}

/** One failed request. */
export class RegistryError extends Error implements RegistryFailure {
  override readonly name = "RegistryError";
  readonly failure: PullFailure;
  readonly retryAfterMs: number | undefined;
  readonly isAbsence: boolean;
  readonly remedy: string | undefined;
  /** Set by whoever tried again. */
  retries = 0;

  constructor(message: string, facts: RegistryFailure, options?: ErrorOptions) {
    super(message, options);
    this.failure = facts.failure;
    this.retryAfterMs = facts.retryAfterMs;
    this.isAbsence = facts.isAbsence ?? false;
    this.remedy = facts.remedy;
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return this.failure === "unreachable";
  }

  /** The same, said by whoever has waited for too long. */
  afterTimeout(): RegistryError {
    const text = `inactivity time exceeded timeout: ${this.message}`;
    const error = new RegistryError(text, this, { cause: this });
    error.retries = this.retries;
    return error;
  }
}

/** What a message speaks of, in the short form that people write (`hello`, not `docker.io/library/hello`). */
export interface Subject {
  readonly repository: string;
  readonly reference: string;
}

/** A request that got no answer, or whose answer broke off. */
export function networkError(error: unknown, url: URL): RegistryError {
  const cause = firstCause(error);
  const { code = "" } = cause;
  const message = `Get "${url.origin}/v2/": ${networkText(cause, url)}`;
  const facts = trustFailure(code, url) ?? {
    failure: "unreachable",
    isAbsence: ABSENCES.has(code),
    remedy:
      code === "ENOTFOUND"
        ? `look at the registry's name, or at how this machine looks names up: nobody is called ${url.hostname}`
        : `start the registry, or look at its name and port: ${url.host} is what was tried`,
  };
  return new RegistryError(message, facts, { cause: error });
}

/** TLS that the server does not speak, or by which it does not convince: trying again changes nothing. */
function trustFailure(code: string, { host }: URL): RegistryFailure | undefined {
  if (!TRUST_PROBLEM.test(code)) return undefined;
  const insecure = `if it may be trusted all the same, name it in --insecure-registries ${host}`;
  let remedy = `have this machine trust the registry's authority (update-ca-certificates); ${insecure}`;
  if (PLAIN_HTTP.has(code)) remedy = `${host} does not speak TLS: ${insecure}`;
  else if (code.startsWith("ERR_SSL_")) remedy = `look at how ${host} speaks TLS`;
  return { failure: "unusable", remedy };
}

/** An answer other than success. `body`: its beginning. */
export function statusError(
  status: number,
  headers: { readonly "retry-after"?: string | undefined },
  body: string,
  subject: Subject,
): RegistryError {
  const said = errorsOf(body);
  const text = said.map(({ code, message }) => `${wordsOf(code)}: ${message}`).join("; ");
  switch (status) {
    case 401:
    case 403: {
      const reason = text || "denied: requested access to the resource is denied";
      return accessDenied(subject, reason);
    }
    case 404: {
      const isRepository = said.some(({ code }) => code === "NAME_UNKNOWN");
      const what = isRepository
        ? `repository ${subject.repository}`
        : `manifest for ${subject.reference}`;
      const reason = text || "manifest unknown: manifest unknown";
      const remedy = "look at the image's name and tag";
      return new RegistryError(`${what} not found: ${reason}`, { failure: "notFound", remedy });
    }
    case 429: {
      const retryAfterMs = Number(headers["retry-after"]) * 1000 || undefined;
      const reason = text || "toomanyrequests: Too Many Requests";
      return new RegistryError(reason, { failure: "unreachable", retryAfterMs });
    }
    default: {
      const reason = text === "" ? "" : `: ${text}`;
      return new RegistryError(
        `received unexpected HTTP status: ${status} ${http.STATUS_CODES[status] ?? ""}${reason}`,
        { failure: status >= 500 || status === 408 ? "unreachable" : "unusable" },
      );
    }
  }
}

/** The registry wants another caller, or none at all. */
export function accessDenied({ repository }: Subject, reason: string): RegistryError {
  return new RegistryError(
    `pull access denied for ${repository}, repository does not exist or may require 'docker login': ${reason}`,
    {
      failure: "denied",
      remedy:
        "look at the image's name; if it needs a login, name the file that 'docker login' has written in --registry-auth (GANTRY_REGISTRY_AUTH)",
    },
  );
}

/** What a registry has, and we cannot use. */
export function unusable(message: string): RegistryError {
  return new RegistryError(message, { failure: "unusable" });
}

/** The distribution specification's error document; a proxy's page is none. */
function errorsOf(body: string): readonly { code: string; message: string }[] {
  try {
    const { errors } = JSON.parse(body) as {
      errors?: readonly { code?: unknown; message?: unknown }[];
    };
    return (errors ?? []).map(({ code, message }) => ({
      code: String(code ?? "UNKNOWN"),
      message: String(message ?? "unknown error"),
    }));
  } catch {
    return [];
  }
}

/** `MANIFEST_UNKNOWN` → `manifest unknown`. */
function wordsOf(code: string): string {
  return code.toLowerCase().replaceAll("_", " ");
}

interface SystemError extends Error {
  readonly code?: string;
  readonly address?: string;
  readonly port?: number;
}

/** Of several addresses tried, the last one's failure; of wrapped errors the innermost with a code. */
function firstCause(error: unknown): SystemError {
  if (error instanceof AggregateError) return firstCause(error.errors.at(-1) ?? new Error("EOF"));
  if (!(error instanceof Error)) return new Error(String(error));
  if (!("code" in error) && error.cause instanceof Error) return firstCause(error.cause);
  return error;
}

const PLAIN_HTTP = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
  "EPROTO",
]);
const EXPIRED = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);
/** OpenSSL's and Node's codes: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const TRUST_PROBLEM =
  /^(EPROTO$|ERR_SSL_|ERR_TLS_CERT|CERT_|CRL_|DEPTH_ZERO_|HOSTNAME_MISMATCH$|INVALID_|PATH_LENGTH_|SELF_SIGNED_|UNABLE_TO_)/;

function trustText({ code = "", message }: SystemError): string {
  if (PLAIN_HTTP.has(code)) return "http: server gave HTTP response to HTTPS client";
  if (code.startsWith("ERR_SSL_")) return `tls: ${message}`;
  const what = EXPIRED.has(code)
    ? "certificate has expired or is not yet valid"
    : code === "ERR_TLS_CERT_ALTNAME_INVALID"
      ? "certificate is not valid for this name"
      : "certificate signed by unknown authority";
  return `tls: failed to verify certificate: x509: ${what}`;
}

/** The network knows that nobody is there, and has not just lost a packet. */
const ABSENCES = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND"]);

const DIAL_PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};

function networkText(error: SystemError, url: URL): string {
  const { code = "", address, port } = error;
  if (TRUST_PROBLEM.test(code)) return trustText(error);
  if (code === "ENOTFOUND") return `dial tcp: lookup ${url.hostname}: no such host`;
  if (code === "EAI_AGAIN") {
    return `dial tcp: lookup ${url.hostname}: Temporary failure in name resolution`;
  }
  const dial = DIAL_PROBLEMS[code];
  if (dial !== undefined) {
    const at = address === undefined ? url.host : `${address}:${port}`;
    return `dial tcp ${at}: ${dial}`;
  }
  if (code === "ECONNRESET" || code === "EPIPE") return "read: connection reset by peer";
  return error.message || "EOF";
}
