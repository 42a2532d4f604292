/** A registry in the test's own process that does what a test wants to see handled. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ImageContent } from "./image-content.ts";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  /** Of a POST. */
  readonly body: string;
}

/** True: the request has been answered (or its connection broken). */
export type Handler = (
  request: SeenRequest,
  response: ServerResponse,
) => boolean | Promise<boolean>;

export class FakeRegistry implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  /** Asked before the registry itself answers. */
  handle: Handler = () => false;
  /** Whether it understands Range. */
  ranges = true;
  readonly #server: Server;
  readonly #manifests = new Map<string, { mediaType: string; bytes: Buffer; digest: string }>();
  readonly #blobs = new Map<string, Buffer>();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<FakeRegistry> {
    const registry = new FakeRegistry();
    registry.#server.listen(0, "127.0.0.1");
    await once(registry.#server, "listening");
    return registry;
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Has `repository:tag` be this image. */
  put(name: string, image: ImageContent): void {
    const [repository, tag] = name.split(":");
    for (const manifest of image.manifests) {
      this.#manifests.set(`${repository}/${manifest.digest}`, manifest);
    }
    this.#manifests.set(`${repository}/${tag}`, image.root);
    for (const { digest, bytes } of image.blobs) this.#blobs.set(digest, bytes);
  }

  /** Requests for blobs, in order. */
  get blobRequests(): readonly SeenRequest[] {
    return this.seen.filter(({ path }) => path.includes("/blobs/"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen: SeenRequest = {
      method: request.method ?? "",
      path: request.url ?? "",
      authorization: request.headers.authorization,
      range: request.headers.range,
      body: Buffer.concat(chunks).toString(),
    };
    this.seen.push(seen);
    if (await this.handle(seen, response)) return;
    const [, repository = "", kind, target = ""] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(seen.path) ?? [];
    if (seen.path === "/v2/") return void response.writeHead(200).end("{}");
    if (kind === "manifests") return this.#manifest(`${repository}/${target}`, seen, response);
    if (kind === "blobs") return this.#blob(target, seen, response);
    refuse(response, 404, "UNSUPPORTED", "no such path");
  }

  #manifest(key: string, { method }: SeenRequest, response: ServerResponse): void {
    const found = this.#manifests.get(key);
    if (found === undefined) {
      refuse(response, 404, "MANIFEST_UNKNOWN", "manifest unknown");
      return;
    }
    response.writeHead(200, {
      "content-type": found.mediaType,
      "content-length": found.bytes.length,
      "docker-content-digest": found.digest,
    });
    response.end(method === "HEAD" ? undefined : found.bytes);
  }

  #blob(digest: string, { range }: SeenRequest, response: ServerResponse): void {
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) {
      refuse(response, 404, "BLOB_UNKNOWN", "blob unknown");
      return;
    }
    const from = this.ranges ? Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0) : 0;
    const headers = {
      "content-length": bytes.length - from,
      ...(from > 0 && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
    };
    response.writeHead(from > 0 ? 206 : 200, headers).end(bytes.subarray(from));
  }
}

/** Answers with the distribution API's error document. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}
