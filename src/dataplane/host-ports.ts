/**
 * The machine's ports as its processes have them. A port that is mapped to a container is held by a socket of ours, on which
 * nothing ever arrives: so no process of the machine takes a port whose packets go to a container, and `ss` shows it taken.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { PortRange } from "./dataplane.ts";

export type Protocol = "tcp" | "udp";

export interface HostPorts {
  /** Where the ports are that nobody asks for by number. */
  dynamicRange(): Promise<PortRange>;
  /** Takes a port on all IPv4 addresses. False: a process has it. One that is held already is a success. */
  hold(protocol: Protocol, port: number): Promise<boolean>;
  release(protocol: Protocol, port: number): void;
  close(): void;
}

/** ECS: where the kernel does not say. */
const DYNAMIC_RANGE_DEFAULT: PortRange = { first: 49_153, last: 65_535 };
const DYNAMIC_RANGE_FILE = "/proc/sys/net/ipv4/ip_local_port_range";
const ALL_ADDRESSES = "0.0.0.0";

interface Holder {
  close(): unknown;
}

/** The ports of this process's network namespace. */
export function createHostPorts(): HostPorts {
  const held = new Map<string, Holder>();
  const hold = async (protocol: Protocol, port: number): Promise<boolean> => {
    const key = `${protocol} ${port}`;
    if (held.has(key)) return true;
    const holder = await (protocol === "tcp" ? listenTcp(port) : bindUdp(port));
    if (holder === undefined) return false;
    held.set(key, holder);
    return true;
  };
  const release = (protocol: Protocol, port: number): void => {
    const key = `${protocol} ${port}`;
    held.get(key)?.close();
    held.delete(key);
  };
  return {
    dynamicRange: async () => {
      const text = await readFile(DYNAMIC_RANGE_FILE, "utf8").catch(() => "");
      return parseRange(text) ?? DYNAMIC_RANGE_DEFAULT;
    },
    hold,
    release,
    close: () => {
      for (const holder of held.values()) holder.close();
      held.clear();
    },
  };
}

function parseRange(text: string): PortRange | undefined {
  const [first = 0, last = 0] = text.trim().split(/\s+/).map(Number);
  return first > 0 && last >= first ? { first, last } : undefined;
}

async function listenTcp(port: number): Promise<Holder | undefined> {
  // Whoever gets here came while the rules were gone.
  const server = createServer((socket) => socket.destroy());
  server.listen({ port, host: ALL_ADDRESSES, exclusive: true });
  return (await isReady(once(server, "listening"))) ? quiet(server).unref() : undefined;
}

async function bindUdp(port: number): Promise<Holder | undefined> {
  const socket = createSocket("udp4");
  socket.bind({ port, address: ALL_ADDRESSES, exclusive: true });
  return (await isReady(once(socket, "listening"))) ? quiet(socket).unref() : undefined;
}

/** What goes wrong on a socket that carries nothing is nobody's business. */
function quiet<T extends NodeJS.EventEmitter>(emitter: T): T {
  return emitter.on("error", () => undefined);
}

/** False when a process has the port; whatever else is wrong is thrown. */
async function isReady(listening: Promise<unknown>): Promise<boolean> {
  try {
    await listening;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return false;
    throw error;
  }
}
