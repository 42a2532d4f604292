/**
 * Machines for tests of the dataplane: network namespaces on one wire, with a neighbour that is their way out. The network of
 * the machine that runs the test is never touched.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { systemClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import { createDataplane, type DataplaneOptions, type NodeDataplane } from "../linux-dataplane.ts";
import { openHostPortsProcess } from "./host-ports-process.fixture.ts";

/** Of the neighbour, who has routes to 172.16.0.0/12 and 192.168.0.0/16 by the first host. */
export const NEIGHBOUR: string = "10.77.0.1";
const MTU_BYTES = 1420;
/** How long a client waits for an answer that has to come, on a machine that may be busy. */
const ANSWER_SECONDS = 20;
/** How long it waits for one that must not come. */
const SILENCE_SECONDS = 1;

/** Port that sends back what it gets, as RFC 862; port that sends much. */
export const ECHO_PORT = 7;
export const BULK_PORT = 19;
export const BULK_BYTES: number = 2 ** 20;

/** Answers each TCP connection and each datagram, to any of its other ports, with the address that it comes from. */
const SERVER = `
const ports = process.argv.slice(1).map(Number);
const plain = (address) => address.replace(/^::ffff:/, "");
let left = ports.length * 2;
const ready = () => { if (--left === 0) console.log("ready"); };
for (const port of ports) {
  require("net").createServer((s) => { 
    s.on("error", () => {});
    if (port === ${ECHO_PORT}) s.pipe(s);
    else s.end(port === ${BULK_PORT} ? Buffer.alloc(${BULK_BYTES}) : plain(s.remoteAddress));
  }).listen(port, process.env.ADDRESS, ready);
  const udp = require("dgram").createSocket("udp4");
  udp.on("message", (_, from) => udp.send(from.address, from.port, from.address)).bind(port, process.env.ADDRESS, ready);
}`;

/** One machine. */
export interface TestHost {
  /** Path of its namespace. */
  readonly path: string;
  readonly address: string;
}

/** Why this machine cannot run these tests; false if it can. */
export function unmetNeed(): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  try {
    for (const tool of ["ip -V", "nft --version", "nsenter --version"])
      execFileSync("sh", ["-c", tool], { stdio: "ignore" });
    execFileSync("unshare", ["--net", "true"], { stdio: "ignore" });
    return false;
  } catch (error) {
    return `needs ip, nft and network namespaces: ${String(error)}`;
  }
}

/** Some machines on one wire; disposing them removes all that was made on them. */
export class TestHosts implements AsyncDisposable {
  readonly #run = randomBytes(3).toString("hex");
  readonly #servers: ChildProcess[] = [];
  readonly #systems: NodeDataplane[] = [];
  readonly hosts: readonly TestHost[];
  /** Path of the neighbour's namespace. */
  readonly neighbour: string;

  constructor(count = 1) {
    const wire = `test-${this.#run}-wire`;
    this.neighbour = `/run/netns/${wire}`;
    ip(`netns add ${wire}`);
    batch(wire, [
      "link set lo up",
      "link add br0 type bridge",
      `addr add ${NEIGHBOUR}/24 dev br0`,
      "link set br0 up",
    ]);
    this.hosts = Array.from({ length: count }, (_, index) => this.#connect(wire, index));
    const via = `via ${this.host.address}`;
    batch(
      wire,
      ["172.16.0.0/12", "192.168.0.0/16"].map((block) => `route add ${block} ${via}`),
    );
  }

  get host(): TestHost {
    const [host] = this.hosts;
    if (host === undefined) throw new Error("there is no host");
    return host;
  }

  /** A dataplane on a host. A second one with the same `systemId` is what a restarted process has. */
  start(options: Partial<DataplaneOptions> = {}, host: TestHost = this.host): NodeDataplane {
    const dataplane = createDataplane({
      systemId: newSystemId(),
      clock: systemClock,
      log: silentLog,
      hostNamespacePath: host.path,
      hostPorts: openHostPortsProcess(host.path),
      ...options,
    });
    this.#systems.push(dataplane);
    return dataplane;
  }

  /** Serves TCP and UDP in a namespace, until the end. */
  async serve(
    namespace: string,
    ports: readonly number[] = [80],
    address = "0.0.0.0",
  ): Promise<ChildProcess> {
    const child = spawn(
      "nsenter",
      [`--net=${namespace}`, process.execPath, "-e", SERVER, ...ports.map(String)],
      { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ADDRESS: address } },
    );
    this.#servers.push(child);
    await once(child.stdout, "data");
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await end(server);
    for (const system of this.#systems) await system.removeAll();
    for (const { path } of this.hosts) ip(`netns del ${path.split("/").at(-1)}`);
    ip(`netns del ${this.neighbour.split("/").at(-1)}`);
  }

  #connect(wire: string, index: number): TestHost {
    const name = `test-${this.#run}-host${index}`;
    const address = `10.77.0.${index + 2}`;
    ip(`netns add ${name}`);
    batch(wire, [
      `link add port${index} mtu ${MTU_BYTES} type veth peer name eth0 mtu ${MTU_BYTES} netns ${name}`,
      `link set port${index} master br0 up`,
    ]);
    batch(name, [
      "link set lo up",
      `addr add ${address}/24 dev eth0`,
      "link set eth0 up",
      `route add default via ${NEIGHBOUR}`,
    ]);
    const path = `/run/netns/${name}`;
    return { path, address };
  }
}

/** What a TCP server answers to a client in `namespace`; the client's trouble otherwise, or `timeout`. */
export function call(namespace: string, address: string, port = 80): Promise<string> {
  return client(namespace, `cat < /dev/tcp/${address}/${port}`, ANSWER_SECONDS);
}

/** As {@link call}, where nobody should answer: the client does not wait for long. */
export function callInVain(namespace: string, address: string, port = 80): Promise<string> {
  return client(namespace, `cat < /dev/tcp/${address}/${port}`, SILENCE_SECONDS);
}

/** What a UDP server answers to a client in `namespace` that sends it so many bytes, or `timeout`. */
export function callUdp(
  namespace: string,
  address: string,
  port: number,
  bytes = 1,
): Promise<string> {
  return client(namespace, udpScript(address, port, bytes), ANSWER_SECONDS);
}

function udpScript(address: string, port: number, bytes: number): string {
  return `exec 3<>/dev/udp/${address}/${port}; dd if=/dev/zero bs=${bytes} count=1 status=none >&3; dd bs=64 count=1 status=none <&3`;
}

/** How many bytes a client in `namespace` gets of {@link BULK_BYTES}. */
export async function callBulk(namespace: string, address: string): Promise<number> {
  const script = `cat < /dev/tcp/${address}/${BULK_PORT} | wc -c`;
  return Number(await client(namespace, script, ANSWER_SECONDS));
}

/** A connection to an echo server that is used for as long as `work` takes. Resolves with what went wrong with it, or `ok`. */
export async function connected(
  namespace: string,
  address: string,
  work: () => Promise<void>,
): Promise<string> {
  const script = `exec 3<>/dev/tcp/${address}/${ECHO_PORT} || exit 1
while :; do
  read -t 0.05 -r
  [ $? -gt 128 ] || { echo ok; exit; }
  echo ping >&3; read -t 5 -r answer <&3 || { echo broken; exit 1; }
done`;
  const child = spawn("nsenter", [`--net=${namespace}`, "bash", "-c", script]);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const closed = once(child, "close");
  try {
    await work();
  } finally {
    child.stdin.end();
    await closed;
  }
  return output.trim();
}

/** A UDP client that keeps its socket, and with it its port. */
export interface DatagramClient extends Disposable {
  /** What the server answers to one more datagram; `silence` when nothing comes. */
  ask(): Promise<string>;
}

/** A {@link DatagramClient} in `namespace`. */
export function openDatagramClient(
  namespace: string,
  address: string,
  port: number,
): DatagramClient {
  const script = `exec 3<>/dev/udp/${address}/${port}
while read -r seconds; do
  echo ping >&3
  answer=$(timeout "$seconds" dd bs=64 count=1 status=none <&3)
  echo "\${answer:-silence}"
done`;
  const child = spawn("nsenter", [`--net=${namespace}`, "bash", "-c", script], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (): Promise<string> => {
    child.stdin.write(`${SILENCE_SECONDS}\n`);
    return (await lines.next()).value ?? "the client has ended";
  };
  return { ask, [Symbol.dispose]: () => child.stdin.end() };
}

function client(namespace: string, script: string, seconds: number): Promise<string> {
  const command = [`--net=${namespace}`, "timeout", String(seconds), "bash", "-c", script];
  return new Promise((resolve) => {
    execFile("nsenter", command, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else resolve(error.code === 124 ? "timeout" : (stderr.trim().split(": ").at(-1) ?? ""));
    });
  });
}

/** Runs `ip …line` on this machine. */
export function ip(line: string): string {
  return execFileSync("ip", line.split(" ")).toString();
}

function batch(namespace: string, lines: readonly string[]): void {
  execFileSync("ip", ["-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** Runs a command in a namespace and returns what it prints. */
export function nsenter(namespace: string, line: string): string {
  return nsenterArgs(namespace, line.split(" "));
}

/** {@link nsenter} with arguments that have spaces in them. */
export function nsenterArgs(namespace: string, args: readonly string[]): string {
  return execFileSync("nsenter", [`--net=${namespace}`, ...args]).toString();
}

/** Names of the links in a namespace, but for those the kernel puts into every one. */
export function linksOf(namespace: string): readonly string[] {
  const links: { ifname: string; link_type: string }[] = JSON.parse(
    nsenter(namespace, "ip -j link show"),
  );
  return links
    .filter(({ link_type }) => link_type === "ether" || link_type === "loopback")
    .map(({ ifname }) => ifname)
    .sort();
}

export function newSystemId(): string {
  return randomBytes(3).toString("hex");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
