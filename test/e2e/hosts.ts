/** Machines of their own for tests: network namespaces on one wire. */
import assert from "node:assert/strict";
import { command } from "./gantry-kit.ts";

export interface Host {
  /** Of its namespace. */
  readonly name: string;
  readonly address: string;
  /** The words before a program that make it run on this host. */
  readonly enter: readonly string[];
}

export interface Hosts extends AsyncDisposable {
  readonly hosts: Host[];
  /** The namespace of the switch that they are on. */
  readonly wire: string;
}

/** `count` hosts with addresses in 10.77.0.0/24, on a switch that is in a namespace too. Disposing removes all of it. */
export async function openHosts(count: number): Promise<Hosts> {
  const tag = `gt${process.pid % 100_000}`;
  const wire = `${tag}w`;
  const names = Array.from({ length: count }, (_, index) => `${tag}h${index + 1}`);
  const close = async (): Promise<void> => {
    for (const name of [...names, wire]) await command("ip", ["netns", "delete", name]);
  };
  try {
    await run("ip", "netns", "add", wire);
    await inside(wire, "ip", "link", "add", "switch", "type", "bridge");
    await inside(wire, "ip", "link", "set", "switch", "up");
    const hosts: Host[] = [];
    for (const [index, name] of names.entries()) hosts.push(await plugIn(wire, name, index + 1));
    return { hosts, wire, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Pulls the cable of host `number` (from 1) out of the switch, or puts it back. Its own interface only sees that there is no carrier. */
export async function setCable({ wire }: Hosts, number: number, to: "up" | "down"): Promise<void> {
  await inside(wire, "ip", "link", "set", `port${number}`, to);
}

/** The address of the test's own host, once it is on the wire of hosts. */
export const OWN_ADDRESS = "10.77.0.254";

/** Puts the test's own host on the wire, until that is disposed. */
export async function joinWire({ wire }: Hosts): Promise<void> {
  const link = `${wire}o`;
  const own = ["peer", link, "netns", String(process.pid)];
  await inside(wire, "ip", "link", "add", "port-own", "type", "veth", ...own);
  await inside(wire, "ip", "link", "set", "port-own", "master", "switch", "up");
  await run("ip", "address", "add", `${OWN_ADDRESS}/24`, "dev", link);
  await run("ip", "link", "set", link, "up");
}

async function plugIn(wire: string, name: string, number: number): Promise<Host> {
  const address = `10.77.0.${number}`;
  await run("ip", "netns", "add", name);
  const port = `port${number}`;
  await inside(wire, "ip", "link", "add", port, "type", "veth", "peer", "eth0", "netns", name);
  await inside(wire, "ip", "link", "set", port, "master", "switch", "up");
  await inside(name, "ip", "link", "set", "lo", "up");
  await inside(name, "ip", "address", "add", `${address}/24`, "dev", "eth0");
  await inside(name, "ip", "link", "set", "eth0", "up");
  return { name, address, enter: enter(name) };
}

/** Not `ip netns exec`: that mounts /sys anew and hides the cgroups. */
function enter(name: string): string[] {
  return ["nsenter", `--net=/run/netns/${name}`];
}

async function inside(name: string, ...words: string[]): Promise<void> {
  await run(...([...enter(name), ...words] as [string, ...string[]]));
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await command(program, args);
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${stderr}`);
}
