import type { Settings } from "../config.ts";
import { messageOf, SetupError } from "../lib/errors.ts";
import { JOIN_TOKEN_PATH, type JoinTokenMessage } from "../protocol/node-join.ts";
import { askServer, findServer } from "./ask-server.ts";
import { formatJoinToken } from "./join-token.ts";

/** `gantry token`: prints a join token for other machines. */
export async function token(settings: Settings): Promise<number> {
  const server = await findServer(settings);
  const { endpoint, region, ca } = server;
  refuseClearText(endpoint);
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt } =
    await askServer<JoinTokenMessage>(server, JOIN_TOKEN_PATH).catch((cause: unknown) => {
      const message = `the server at ${endpoint} gives no token: ${messageOf(cause)}`;
      throw new SetupError(message, { cause });
    });
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
