import { once } from "node:events";
import { connect, isIPv4 } from "node:net";
import { UnavailableError } from "../lib/errors.ts";

/** Chosen: a server that can be reached takes a connection sooner. */
const CONNECT_MS_MAX = 10_000;

/**
 * The IPv4 address from which this machine reaches a server: the one at which other machines of the same network reach it.
 * Throws UnavailableError when the server cannot be reached.
 */
export async function addressTowards(endpoint: string): Promise<string> {
  const { hostname, port, protocol } = new URL(endpoint);
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (protocol === "https:" ? 443 : 80)),
    signal: AbortSignal.timeout(CONNECT_MS_MAX),
  });
  try {
    await once(socket, "connect");
    const address = (socket.localAddress ?? "").replace(/^::ffff:/, "");
    return isIPv4(address) ? address : "127.0.0.1";
  } catch (cause) {
    throw new UnavailableError(`cannot reach ${endpoint}`, { cause });
  } finally {
    socket.destroy();
  }
}
