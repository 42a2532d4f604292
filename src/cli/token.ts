import { readFile } from "node:fs/promises";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { messageOf, SetupError } from "../lib/errors.ts";
import { signRequest } from "../lib/sigv4.ts";
import { dialWebSocket } from "../lib/websocket.ts";
import { JOIN_TOKEN_PATH, type JoinTokenMessage } from "../protocol/node-join.ts";
import { type ClientFile, readClientFile } from "./client-file.ts";
import { formatJoinToken } from "./join-token.ts";
import { findProcess } from "./process-file.ts";
import { START_COMMAND } from "./program.ts";

const ANSWER_MS_MAX = 30_000;

/** `gantry token`: prints a join token for other machines. */
export async function token(settings: Settings): Promise<number> {
  const { dataDirectory } = settings;
  const running = await findProcess(dataDirectory);
  if (running === undefined || running.command === "node") {
    throw new SetupError(
      `no server runs on ${dataDirectory}: start one with '${START_COMMAND}', or name its directory with --data-dir or GANTRY_DATA_DIR`,
    );
  }
  const client = { ...(await readClientFile(dataDirectory)), endpoint: running.endpoint };
  refuseClearText(client.endpoint);
  const { authorityPath, endpoint, region } = client;
  const ca = authorityPath === undefined ? undefined : await readFile(authorityPath, "utf8");
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt } = await askForToken(client, ca);
  const credentials = { accessKeyId, secretAccessKey, sessionToken };
  process.stdout.write(`${formatJoinToken({ endpoint, region, ca, ...credentials })}\n`);
  process.stderr.write(
    `On the other machine, as root, until ${new Date(expiresAt).toISOString()}: gantry node --join TOKEN\n`,
  );
  return 0;
}

/** Who joins is given keys: they must not pass over a network where others can read them. */
function refuseClearText(endpoint: string): void {
  const { hostname, protocol } = new URL(endpoint);
  const isLoopback = /^(127\.|localhost$|\[::1\]$)/.test(hostname);
  if (protocol === "https:" || isLoopback) return;
  throw new SetupError(
    `the server answers at ${endpoint} without TLS, and a machine that joins is given keys: start the server with --tls generate (GANTRY_TLS=generate), or with a certificate of your own`,
  );
}

async function askForToken(client: ClientFile, ca: string | undefined): Promise<JoinTokenMessage> {
  const url = new URL(JOIN_TOKEN_PATH, client.endpoint.replace(/^http/, "ws"));
  const { accessKeyId, secretAccessKey, region } = client;
  const headers = signRequest({
    method: "GET",
    url,
    credentials: { accessKeyId, secretAccessKey },
    service: "ecs",
    region,
    now: systemClock.now(),
  });
  try {
    const limit = AbortSignal.timeout(ANSWER_MS_MAX);
    const socket = await dialWebSocket(url.href, headers, limit, { ca });
    return await new Promise((resolve, reject) => {
      socket.onMessage((text) => resolve(JSON.parse(text) as JoinTokenMessage));
      socket.onClose((code, reason) => reject(new Error(`closed with ${code} ${reason}`)));
    });
  } catch (cause) {
    throw new SetupError(`the server at ${client.endpoint} gives no token: ${messageOf(cause)}`, {
      cause,
    });
  }
}
