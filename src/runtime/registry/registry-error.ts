/** What goes wrong between us and a registry, said as Docker says it: people and tools know these texts. */
import { http } from "../../lib/builtins.ts";
import type { PullFailure } from "../pull.ts";

/** One failed request. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly failure: PullFailure;
  /** The registry's own wish (Retry-After), if it has one. Milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Set by whoever tried again. */
  retries = 0;

  constructor(
    message: string,
    facts: { readonly failure: PullFailure; readonly retryAfterMs?: number | undefined },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.failure = facts.failure;
    this.retryAfterMs = facts.retryAfterMs;
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return this.failure === "unreachable";
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
  const message = `Get "${url.origin}/v2/": ${networkText(cause, url)}`;
  const failure = isTrustProblem(cause) ? "unusable" : "unreachable";
  return new RegistryError(message, { failure }, { cause: error });
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
      return new RegistryError(`${what} not found: ${reason}`, { failure: "notFound" });
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
    { failure: "denied" },
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

/** Certificates that do not convince, and plain HTTP where TLS is spoken. */
const TRUST_PROBLEMS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "x509: certificate signed by unknown authority",
  SELF_SIGNED_CERT_IN_CHAIN: "x509: certificate signed by unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "x509: certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "x509: certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "x509: certificate signed by unknown authority",
  CERT_HAS_EXPIRED: "x509: certificate has expired or is not yet valid",
  CERT_NOT_YET_VALID: "x509: certificate has expired or is not yet valid",
  ERR_TLS_CERT_ALTNAME_INVALID: "x509: certificate is not valid for this name",
  ERR_SSL_WRONG_VERSION_NUMBER: "http: server gave HTTP response to HTTPS client",
  EPROTO: "http: server gave HTTP response to HTTPS client",
};

function isTrustProblem({ code }: SystemError): boolean {
  return code !== undefined && code in TRUST_PROBLEMS;
}

const DIAL_PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};

function networkText(error: SystemError, url: URL): string {
  const { code = "", address, port } = error;
  const trust = TRUST_PROBLEMS[code];
  if (trust !== undefined) {
    return trust.startsWith("x509") ? `tls: failed to verify certificate: ${trust}` : trust;
  }
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
