/** One repository of a registry, read by the OCI distribution API (the same as Docker's HTTP API v2). */
import { createHash } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../../lib/random.ts";
import type { Descriptor } from "../containerd/messages.ts";
import { isDigest, MANIFEST_BYTES_MAX } from "../image-documents.ts";
import type { PullPatience } from "../pull.ts";
import type { Reference } from "../reference.ts";
import { Attempts } from "./attempts.ts";
import { type Access, type Authorizer, createAuthorizer } from "./authorizer.ts";
import type { RegistryCredentials } from "./logins.ts";
import { networkError, RegistryError, statusError, unusable } from "./registry-error.ts";
import { familiar, hostOf, isLoopback } from "./registry-name.ts";
import { type RegistryResponse, readBytes, readText, type Transport } from "./transport.ts";

export interface Repository {
  /** What the reference stands for now. Throws RegistryError. */
  resolve(signal: AbortSignal): Promise<Descriptor>;
  /** A manifest or index, checked against its digest. Throws RegistryError. */
  manifest(digest: string, signal: AbortSignal): Promise<ManifestBytes>;
  /** A blob's bytes from the first to the last, over as many connections as it takes. Not checked against its digest. */
  blob(descriptor: Descriptor, signal: AbortSignal): AsyncIterable<Buffer>;
}

export interface ManifestBytes {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface RegistriesOptions {
  readonly transport: Transport;
  /** `host[:port]` of registries that may speak plain HTTP, or TLS with any certificate. */
  readonly insecure: readonly string[];
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly random: Random;
}

/** Opens repositories; tokens and what was found out about registries are shared between them. */
export type OpenRepository = (
  reference: Reference,
  credentials: RegistryCredentials | undefined,
  patience?: PullPatience,
) => Repository;

const OCI = "application/vnd.oci.image";
const DOCKER = "application/vnd.docker.distribution.manifest";
const ACCEPT = [
  `${OCI}.index.v1+json`,
  `${OCI}.manifest.v1+json`,
  `${DOCKER}.list.v2+json`,
  `${DOCKER}.v2+json`,
].join(", ");
/** Docker's registries speak this before anything else. */
const HEADERS = { "user-agent": "gantry", "docker-distribution-api-version": "registry/2.0" };
const ERROR_BYTES_MAX = 16 * 1024;
/** Statuses to HEAD that a GET explains, or does not have. */
const HEAD_UNCLEAR = new Set([400, 403, 404, 405, 429, 501]);

/** Makes the function that opens repositories. */
export function createRegistries(options: RegistriesOptions): OpenRepository {
  const authorizer = createAuthorizer(options.transport, options.clock);
  const origins = new Map<string, Origin>();
  return (reference, credentials, patience) => {
    const { clock, insecure, random, transport } = options;
    const attempts = new Attempts({ clock, random, patience });
    const shared = { transport, insecure, authorizer, origins };
    return new RegistryRepository(shared, attempts, reference, credentials);
  };
}

interface Origin {
  /** e.g. `https://registry-1.docker.io`. */
  readonly url: string;
  readonly verify: boolean;
}

interface Shared extends Pick<RegistriesOptions, "transport" | "insecure"> {
  readonly authorizer: Authorizer;
  /** By registry. */
  readonly origins: Map<string, Origin>;
}

class RegistryRepository implements Repository {
  readonly #shared: Shared;
  readonly #attempts: Attempts;
  readonly #reference: Reference;
  readonly #credentials: RegistryCredentials | undefined;

  constructor(
    shared: Shared,
    attempts: Attempts,
    reference: Reference,
    credentials: RegistryCredentials | undefined,
  ) {
    this.#shared = shared;
    this.#attempts = attempts;
    this.#reference = reference;
    this.#credentials = credentials;
  }

  resolve(signal: AbortSignal): Promise<Descriptor> {
    const { digest, tag } = this.#reference;
    const target = `manifests/${digest ?? tag}`;
    return this.#persist(signal, async () => {
      const head = await this.#send("HEAD", target, { accept: ACCEPT }, signal);
      head.body.resume();
      if (!HEAD_UNCLEAR.has(head.status)) await this.#check(head);
      const named = digest ?? head.headers["docker-content-digest"];
      const size = Number(head.headers["content-length"]);
      if (head.status === 200 && isDigest(named) && size > 0) {
        return { mediaType: mediaTypeOf(head), digest: named, size };
      }
      const { bytes, mediaType } = await this.#getManifest(target, signal);
      return { mediaType, digest: digestOf(bytes), size: bytes.length };
    });
  }

  manifest(digest: string, signal: AbortSignal): Promise<ManifestBytes> {
    return this.#persist(signal, async () => {
      const found = await this.#getManifest(`manifests/${digest}`, signal);
      if (digestOf(found.bytes) !== digest) {
        throw unusable(`manifest verification failed for digest ${digest}`);
      }
      return found;
    });
  }

  async *blob(descriptor: Descriptor, signal: AbortSignal): AsyncIterable<Buffer> {
    const { digest, size } = descriptor;
    const attempts = this.#attempts.series();
    let offset = 0;
    while (offset < size) {
      try {
        for await (const chunk of await this.#openBlob(digest, offset, signal)) {
          offset += chunk.length;
          if (offset > size)
            throw unusable(`blob ${digest} is longer than the ${size} bytes of its descriptor`);
          yield chunk;
          // After whoever takes it has done so: a slow disk is no idle registry.
          attempts.progressed();
        }
        if (offset < size) throw new RegistryError("unexpected EOF", { failure: "unreachable" });
      } catch (thrown) {
        signal.throwIfAborted();
        await attempts.pauseAfter(this.#asError(thrown), signal);
      }
    }
  }

  /** The rest of a blob from `offset` on. */
  async #openBlob(
    digest: string,
    offset: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Buffer>> {
    const range: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const response = await this.#send("GET", `blobs/${digest}`, range, signal);
    if (response.status === 206 && startOf(response) !== offset) {
      response.body.destroy();
      throw unusable(`${this.#reference.registry} answers another range than was asked for`);
    }
    if (response.status === 206) return response.body;
    await this.#check(response, digest);
    return skip(response.body, offset);
  }

  async #getManifest(target: string, signal: AbortSignal): Promise<ManifestBytes> {
    const response = await this.#send("GET", target, { accept: ACCEPT }, signal);
    await this.#check(response);
    const bytes = await readBytes(response.body, MANIFEST_BYTES_MAX);
    if (bytes.length > MANIFEST_BYTES_MAX) {
      throw unusable(`the manifest is larger than ${MANIFEST_BYTES_MAX} bytes`);
    }
    return { mediaType: mediaTypeOf(response), bytes };
  }

  /** Throws what an answer other than 200 means. */
  async #check(response: RegistryResponse, blob?: string): Promise<void> {
    if (response.status === 200) return;
    const body = await readText(response.body, ERROR_BYTES_MAX);
    const subject = familiar(this.#reference);
    if (response.status === 404 && blob !== undefined) {
      throw unusable(`blob ${blob} of ${subject.reference} not found: blob unknown to registry`);
    }
    throw statusError(response.status, response.headers, body, subject);
  }

  async #send(
    method: "GET" | "HEAD",
    target: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<RegistryResponse> {
    const { url: origin, verify } = await this.#origin(signal);
    const { authorizer, transport } = this.#shared;
    const access: Access = {
      origin,
      verify,
      repository: this.#reference.repository,
      credentials: this.#credentials,
      subject: familiar(this.#reference),
    };
    const ask = (authorization: string | undefined): Promise<RegistryResponse> =>
      transport.send(
        {
          method,
          url: new URL(`${origin}/v2/${this.#reference.repository}/${target}`),
          headers: { ...HEADERS, ...headers, ...(authorization && { authorization }) },
          verify,
        },
        signal,
      );
    const first = await ask(authorizer.known(access));
    if (first.status !== 401) return first;
    first.body.resume();
    return ask(await authorizer.answer(access, first, signal));
  }

  /** How the registry is spoken to. Only one that may be insecure is asked: TLS first, whatever its certificate. */
  async #origin(signal: AbortSignal): Promise<Origin> {
    const { insecure, origins, transport } = this.#shared;
    const { registry } = this.#reference;
    const host = hostOf(registry);
    if (!isLoopback(registry) && !insecure.includes(registry)) {
      return { url: `https://${host}`, verify: true };
    }
    const known = origins.get(registry);
    if (known !== undefined) return known;
    const ping = async (url: string): Promise<Origin> => {
      const origin = { url, verify: false };
      const request = { method: "GET", url: new URL(`${url}/v2/`), headers: HEADERS } as const;
      (await transport.send({ ...request, verify: false }, signal)).body.resume();
      origins.set(registry, origin);
      return origin;
    };
    try {
      return await ping(`https://${host}`);
    } catch {
      signal.throwIfAborted();
      return ping(`http://${host}`);
    }
  }

  #persist<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#attempts.repeat(signal, (thrown) => this.#asError(thrown), work);
  }

  /** A body that breaks off throws what the socket says. */
  #asError(thrown: unknown): RegistryError {
    if (thrown instanceof RegistryError) return thrown;
    return networkError(thrown, new URL(`https://${hostOf(this.#reference.registry)}/`));
  }
}

function mediaTypeOf({ headers }: RegistryResponse): string {
  return (headers["content-type"] ?? "").replace(/;.*$/s, "").trim();
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** First byte of a `Content-Range: bytes 10-99/100`. */
function startOf({ headers }: RegistryResponse): number {
  return Number(/^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1]);
}

/** A server that knows no ranges sends a blob from its beginning. */
async function* skip(body: AsyncIterable<Buffer>, bytes: number): AsyncIterable<Buffer> {
  let left = bytes;
  for await (const chunk of body) {
    const rest = left < chunk.length ? chunk.subarray(left) : undefined;
    left = Math.max(0, left - chunk.length);
    if (rest !== undefined) yield rest;
  }
}
