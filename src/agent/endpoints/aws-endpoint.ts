import { once } from "node:events";
import { checkServerIdentity, connect, rootCertificates } from "node:tls";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { AgentConfig } from "../agent-deps.ts";
import type { Disk } from "../disk.ts";

/** Where the dataplane brings the AWS door to every task. */
const TASK_SIDE_ADDRESS = "169.254.170.2";
const TASK_SIDE_PORT = 4566;
/** Chosen: the server is on this machine or in its network. */
const HANDSHAKE_MS_MAX = 5_000;

export interface AwsEndpointOptions {
  /** The AWS door as this machine reaches it. */
  readonly endpoint: string;
  /** Its certificate authority, PEM; undefined: a public one, or plain HTTP. */
  readonly ca: string | undefined;
  /** Where the certificates are kept that tasks trust. */
  readonly caBundlePath: string;
  readonly disk: Pick<Disk, "writeText">;
  readonly log: Log;
}

/**
 * The AWS endpoint that tasks are given: the link-local one, unless the door's certificate does not name it; then the door's
 * own. For a private authority it makes the file of certificates that tasks are to trust: the public ones stay in it, since a
 * task may speak to other services too.
 */
export async function awsEndpointForTasks(
  options: AwsEndpointOptions,
): Promise<NonNullable<AgentConfig["awsEndpoint"]>> {
  const { ca, caBundlePath, disk, endpoint } = options;
  const { protocol } = new URL(endpoint);
  const taskSide = `${protocol}//${TASK_SIDE_ADDRESS}:${TASK_SIDE_PORT}`;
  if (protocol === "http:") return { url: taskSide };
  const url = (await isNamed(options)) ? taskSide : endpoint;
  if (ca === undefined) return { url };
  await disk.writeText(caBundlePath, [...rootCertificates, ca.trim(), ""].join("\n"), 0o644);
  return { url, caBundlePath };
}

/** Whether the door's certificate is one for the link-local address. A door that cannot be asked has one of our own making. */
async function isNamed({ ca, endpoint, log }: AwsEndpointOptions): Promise<boolean> {
  const { hostname, port } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket = connect({ host, port: Number(port) || 443, ...(ca !== undefined && { ca }) });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(HANDSHAKE_MS_MAX) });
    const problem = checkServerIdentity(TASK_SIDE_ADDRESS, socket.getPeerCertificate());
    if (problem === undefined) return true;
    log.info("tasks are given the server's own address: its certificate does not name theirs", {
      endpoint,
    });
    return false;
  } catch (error) {
    log.debug("the server's certificate cannot be seen yet", { error: messageOf(error) });
    return ca !== undefined;
  } finally {
    socket.destroy();
  }
}
