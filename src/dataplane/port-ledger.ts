import {
  type PortBinding,
  type PortMap,
  type PortRange,
  PortUnavailableError,
  portsOf,
} from "./dataplane.ts";
import type { HostPorts, Protocol } from "./host-ports.ts";

/** Which ports of the machine are mapped to containers. A port is taken before anything is awaited, so that no two get it. */
export class PortLedger {
  readonly #hostPorts: HostPorts;
  readonly #taken = new Set<string>();
  /** Where the next search begins: a port that was given back rests as long as possible. */
  #next = 0;

  constructor(hostPorts: HostPorts) {
    this.#hostPorts = hostPorts;
  }

  /** Gives a map its ports of the machine. Throws PortUnavailableError when they cannot be had; nothing is taken then. */
  async take(map: PortMap): Promise<PortBinding> {
    const { containerPorts, hostPort, protocol } = map;
    const length = containerPorts.last - containerPorts.first + 1;
    const hostPorts =
      hostPort === undefined
        ? await this.#takeAny(protocol, length)
        : await this.#takeGiven(protocol, { first: hostPort, last: hostPort + length - 1 });
    return { protocol, containerPorts, hostPorts };
  }

  /** Takes up what an earlier process has given. False: a process of the machine has taken one of the ports meanwhile. */
  async adopt({
    hostPorts,
    protocol,
  }: Pick<PortBinding, "hostPorts" | "protocol">): Promise<boolean> {
    let isHeld = true;
    for (const port of portsOf(hostPorts)) {
      this.#taken.add(keyOf(protocol, port));
      isHeld = (await this.#hostPorts.hold(protocol, port)) && isHeld;
    }
    return isHeld;
  }

  release({ hostPorts, protocol }: Pick<PortBinding, "hostPorts" | "protocol">): void {
    for (const port of portsOf(hostPorts)) {
      this.#taken.delete(keyOf(protocol, port));
      this.#hostPorts.release(protocol, port);
    }
  }

  async #takeGiven(protocol: Protocol, range: PortRange): Promise<PortRange> {
    const mapped = this.#findTaken(protocol, range);
    if (mapped !== undefined) {
      throw new PortUnavailableError(
        `Bind for 0.0.0.0:${mapped} failed: port is already allocated`,
      );
    }
    const used = await this.#hold(protocol, range);
    if (used === undefined) return range;
    throw new PortUnavailableError(
      `listen ${protocol}4 0.0.0.0:${used}: bind: address already in use by a process of this machine`,
    );
  }

  async #takeAny(protocol: Protocol, length: number): Promise<PortRange> {
    const range = await this.#hostPorts.dynamicRange();
    let left = range.last - range.first + 1;
    if (this.#next < range.first || this.#next > range.last) this.#next = range.first;
    let first = this.#next;
    while (left > 0) {
      const wanted = { first, last: first + length - 1 };
      const obstacle =
        wanted.last > range.last
          ? range.last
          : (this.#findTaken(protocol, wanted) ?? (await this.#hold(protocol, wanted)));
      if (obstacle === undefined) {
        this.#next = wanted.last + 1;
        return wanted;
      }
      left -= obstacle + 1 - first;
      first = obstacle >= range.last ? range.first : obstacle + 1;
    }
    const what = length === 1 ? "no port" : `no ${length} adjacent ports`;
    throw new PortUnavailableError(
      `${what} of ${range.first}-${range.last} (${protocol}) left on this machine`,
    );
  }

  /** The last port of a range that is mapped already. */
  #findTaken(protocol: Protocol, range: PortRange): number | undefined {
    return portsOf(range).findLast((port) => this.#taken.has(keyOf(protocol, port)));
  }

  /** Takes all of a range, or nothing: then it returns the port that a process has. */
  async #hold(protocol: Protocol, range: PortRange): Promise<number | undefined> {
    const ports = portsOf(range);
    for (const port of ports) this.#taken.add(keyOf(protocol, port));
    for (const port of ports) {
      if (await this.#hostPorts.hold(protocol, port)) continue;
      this.release({ protocol, hostPorts: range });
      return port;
    }
    return undefined;
  }
}

function keyOf(protocol: Protocol, port: number): string {
  return `${protocol} ${port}`;
}
