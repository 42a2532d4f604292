/** HTTP to registries: streams, redirects, and no credentials for anybody but the host they are for. */
import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { getCACertificates } from "node:tls";
import { http } from "../../lib/builtins.ts";
import { networkError, unusable } from "./registry-error.ts";

export interface RegistryRequest {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether a server's certificate must convince. Default true. */
  readonly verify?: boolean;
}

export interface RegistryResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end, or destroyed. */
  readonly body: IncomingMessage;
}

export interface Transport {
  /** Sends one request, following redirects. Throws RegistryError when there is no answer, or the reason of `signal`. */
  send(request: RegistryRequest, signal: AbortSignal): Promise<RegistryResponse>;
  /** Ends all connections: one with an answer that nobody has read to its end would keep this program from ending. */
  close(): void;
}

/** Chosen. A connection on which nothing comes for so long is given up; a download then goes on over a new one. */
const STALL_MS = 20_000;
/** Chosen: connections to one registry. Pulls bound them first. */
const CONNECTIONS_MAX = 32;
/** Chosen. Registries redirect once, to where their blobs lie. */
const REDIRECTS_MAX = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** `proxyEnv`: where HTTP_PROXY and its like are looked up. */
export function createTransport(proxyEnv: NodeJS.ProcessEnv = {}): Transport {
  const pool = { keepAlive: true, maxSockets: CONNECTIONS_MAX, proxyEnv };
  const plain = new http.Agent(pool);
  const unverified = new HttpsAgent({ ...pool, rejectUnauthorized: false });
  let verified: HttpsAgent | undefined;
  const agentFor = ({ url, verify = true }: RegistryRequest): Agent => {
    if (url.protocol === "http:") return plain;
    if (!verify) return unverified;
    // What this machine's administrator trusts counts beside what Node brings along. Read at the first use: it takes time.
    verified ??= new HttpsAgent({
      ...pool,
      ca: [...getCACertificates("default"), ...getCACertificates("system")],
    });
    return verified;
  };
  const sendOnce = (request: RegistryRequest, signal: AbortSignal): Promise<RegistryResponse> =>
    new Promise((resolve, reject) => {
      const { method, url, headers, body } = request;
      const start = url.protocol === "http:" ? http.request : httpsRequest;
      const options = { method, headers, agent: agentFor(request), signal, timeout: STALL_MS };
      const sent: ClientRequest = start(url, options, (response) =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response }),
      );
      sent.on("timeout", () =>
        sent.destroy(
          new Error("net/http: request canceled (Client.Timeout exceeded while awaiting data)"),
        ),
      );
      sent.on("error", (error) => {
        reject(signal.aborted ? signal.reason : networkError(error, url));
      });
      sent.end(body);
    });
  return {
    send: async (request, signal) => {
      let current = request;
      for (let redirects = 0; ; redirects++) {
        signal.throwIfAborted();
        const response = await sendOnce(current, signal);
        const { location } = response.headers;
        if (!REDIRECTS.has(response.status) || location === undefined) return response;
        response.body.resume();
        if (redirects === REDIRECTS_MAX) {
          throw unusable(`stopped after ${REDIRECTS_MAX} redirects from ${request.url.origin}`);
        }
        current = redirected(current, location);
      }
    },
    close: () => {
      for (const agent of [plain, unverified, verified]) agent?.destroy();
    },
  };
}

function redirected(request: RegistryRequest, location: string): RegistryRequest {
  if (!URL.canParse(location, request.url.href)) {
    throw unusable(`${request.url.origin} redirects to "${location}", which is no URL`);
  }
  const url = new URL(location, request.url);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw unusable(`${request.url.origin} redirects to a ${url.protocol} URL`);
  }
  if (url.protocol === "http:" && request.url.protocol === "https:") {
    throw unusable(`${request.url.origin} redirects to ${url.origin}, which is not encrypted`);
  }
  if (request.body !== undefined && url.origin !== request.url.origin) {
    throw unusable(`${request.url.origin} redirects a request with secrets to ${url.origin}`);
  }
  const { authorization: _, ...others } = request.headers;
  const headers = url.origin === request.url.origin ? request.headers : others;
  return { ...request, url, headers };
}

/** The beginning of a body as text; the rest is let go. */
export async function readText(body: IncomingMessage, bytesMax: number): Promise<string> {
  return (await readBytes(body, bytesMax)).subarray(0, bytesMax).toString("utf8");
}

/** A small body; of a larger one, a little more than `bytesMax`. */
export async function readBytes(body: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bytesMax) break;
  }
  return Buffer.concat(chunks);
}
