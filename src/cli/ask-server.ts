import { readFile } from "node:fs/promises";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { SetupError } from "../lib/errors.ts";
import { signRequest } from "../lib/sigv4.ts";
import { dialWebSocket } from "../lib/websocket.ts";
import { type ClientFile, readClientFile } from "./client-file.ts";
import { findProcess } from "./process-file.ts";
import { START_COMMAND } from "./program.ts";

const ANSWER_MS_MAX = 30_000;

/** A server on this machine, as the root key's owner reaches it. */
export interface RunningServer extends ClientFile {
  /** PEM. Undefined: it has no TLS, or a certificate that others vouch for. */
  readonly ca: string | undefined;
}

/** The server of the data directory. Throws SetupError when none runs. */
export async function findServer({ dataDirectory }: Settings): Promise<RunningServer> {
  const running = await findProcess(dataDirectory);
  if (running === undefined || running.command === "node") {
    throw new SetupError(
      `no server runs on ${dataDirectory}: start one with '${START_COMMAND}', or name its directory with --data-dir or GANTRY_DATA_DIR`,
    );
  }
  const client = { ...(await readClientFile(dataDirectory)), endpoint: running.endpoint };
  const { authorityPath } = client;
  const ca = authorityPath === undefined ? undefined : await readFile(authorityPath, "utf8");
  return { ...client, ca };
}

/**
 * What Gantry's own websockets answer: the one message that the server sends. The type is the path's. Throws whatever
 * kept it from coming.
 */
export async function askServer<T>(
  server: RunningServer,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<T> {
  const url = new URL(path, server.endpoint.replace(/^http/, "ws"));
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const { accessKeyId, secretAccessKey, region, ca } = server;
  const headers = signRequest({
    method: "GET",
    url,
    credentials: { accessKeyId, secretAccessKey },
    service: "ecs",
    region,
    now: systemClock.now(),
  });
  const limit = AbortSignal.timeout(ANSWER_MS_MAX);
  const socket = await dialWebSocket(url.href, headers, limit, { ca });
  return new Promise((resolve, reject) => {
    socket.onMessage((text) => resolve(JSON.parse(text) as T));
    socket.onClose((code, reason) => reject(new Error(`closed with ${code} ${reason}`)));
  });
}
