/** A server on this machine's loopback whose clients remember its port: it stays over restarts where it can. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf, SetupError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Disk } from "../disk.ts";

export interface LoopbackServer extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number;
}

interface PortMemory {
  readonly disk: Pick<Disk, "readText" | "writeText">;
  /** Where the port is kept. */
  readonly portFile: string;
  readonly log: Log;
}

/** Listens where it listened before, if that port is free, and else on a new one. Throws SetupError. */
export async function openOnLoopback(server: Server, memory: PortMemory): Promise<LoopbackServer> {
  const before = await rememberedPort(memory);
  const port = await listen(server, before, memory.log);
  if (port !== before) await memory.disk.writeText(memory.portFile, `${port}\n`, 0o600);
  return {
    port,
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function rememberedPort({ disk, portFile }: PortMemory): Promise<number> {
  const content = await disk.readText(portFile).catch(() => "");
  const port = Number(content.trim());
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : 0;
}

async function listen(server: Server, port: number, log: Log): Promise<number> {
  try {
    return await tryToListen(server, port);
  } catch (error) {
    if (port === 0) throw new SetupError(`cannot listen on the loopback: ${messageOf(error)}`);
    log.warn("the port that was used before is taken: using another", { port });
    return listen(server, 0, log);
  }
}

function tryToListen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port }, () => {
      server.removeListener("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
