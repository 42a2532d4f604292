/** Instance metadata over HTTP, on the machine's loopback: for the ECS agent beside us, and as on EC2 for whoever is on the machine. */
import { http } from "../../lib/builtins.ts";
import type { Log } from "../../lib/log.ts";
import type { Disk } from "../disk.ts";
import { answerMetadata, type InstanceFacts } from "./instance-metadata.ts";
import { type LoopbackServer, openOnLoopback } from "./loopback-server.ts";

/** Chosen, all of them: questions are small and rare. */
const HEADER_BYTES_MAX = 16 * 1024;
const REQUEST_MS_MAX = 5_000;
const CONNECTIONS_MAX = 256;

export interface MetadataServerDeps {
  readonly facts: () => InstanceFacts;
  /** What the machine answers who asks for a token. */
  readonly token: string;
  readonly disk: Pick<Disk, "readText" | "writeText">;
  /** Where the port is kept. */
  readonly portFile: string;
  readonly log: Log;
}

/** Serves until it is disposed. Throws SetupError. */
export function openMetadataServer(deps: MetadataServerDeps): Promise<LoopbackServer> {
  const log = deps.log.child("metadata");
  const server = http.createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: REQUEST_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
    },
    (request, response) => {
      const { method = "", url = "/", headers } = request;
      // No question has a body that says anything.
      request.resume();
      const answer = answerMetadata({ method, target: url, headers }, deps.facts, deps.token);
      response.writeHead(answer.status, {
        ...answer.headers,
        "content-type": answer.contentType,
        "content-length": Buffer.byteLength(answer.body),
      });
      response.end(answer.body);
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  return openOnLoopback(server, { ...deps, log });
}
