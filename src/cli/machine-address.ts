import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIPv4 } from "node:net";
import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf, UnavailableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";

/** Chosen: a network comes up within seconds of its machine; a name server may take longer. */
const BACKOFF: Backoff = { firstMs: 250, factor: 2, maxMs: 10_000 };

/**
 * The IPv4 address from which this machine reaches a server: the one at which other machines of the same network reach it.
 * The server need not be there: the kernel says by which interface it would be asked, and nothing is sent.
 * Throws UnavailableError when there is no way to it, or its name is unknown.
 */
export async function addressTowards(endpoint: string): Promise<string> {
  const { hostname, port, protocol } = new URL(endpoint);
  try {
    const host = hostname.replace(/^\[|\]$/g, "");
    const { address, family } = await lookup(host, { order: "ipv4first" });
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    try {
      socket.connect(Number(port || (protocol === "https:" ? 443 : 80)), address);
      await once(socket, "connect");
      const own = socket.address().address;
      return isIPv4(own) ? own : "127.0.0.1";
    } finally {
      socket.close();
    }
  } catch (cause) {
    throw new UnavailableError(`cannot reach ${endpoint}: ${messageOf(cause)}`, { cause });
  }
}

/** The same, once there is a way: a machine that starts may be ready before its network. Undefined when `stop` aborts before. */
export async function addressOnceReachable(
  endpoint: string,
  deps: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  stop: AbortSignal,
): Promise<string | undefined> {
  for (let failures = 1; !stop.aborted; failures++) {
    try {
      return await addressTowards(endpoint);
    } catch (error) {
      if (failures === 1) deps.log.warn(messageOf(error));
      await deps.clock.sleep(backoffMs(BACKOFF, failures, deps.random), stop);
    }
  }
  return undefined;
}
