/** The machines of a run, real but for their cables: a Gantry on each, in a network namespace of its own. */
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { command, GantryKit } from "../e2e/gantry-kit.ts";
import { type Host, type Hosts, joinWire, openHosts, setCable } from "../e2e/hosts.ts";
import { buildHelloImage } from "../e2e/images.ts";
import { type Fault, LOSS_AFTER_MS, type Shape } from "./schedule.ts";

/** On the server's machine, whose namespace has no other listener. */
const PORT = 7070;
/** Of each life of a Gantry, in a report. */
const LINES_SHOWN = 40;
const LIVES_SHOWN = 3;

interface Machine {
  readonly kit: GantryKit;
  readonly host: Host;
  /** What starts its Gantry again. */
  readonly words: readonly string[];
  /** What the Gantries that were killed here said. */
  readonly lives: string[];
}

export class Machines implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #hosts: Hosts;
  readonly #machines: readonly Machine[];

  private constructor(stack: AsyncDisposableStack, hosts: Hosts, machines: readonly Machine[]) {
    this.#stack = stack;
    this.#hosts = hosts;
    this.#machines = machines;
  }

  /** Starts all of them and gives them the image `hello`. */
  static async open(shape: Shape): Promise<Machines> {
    await using stack = new AsyncDisposableStack();
    const hosts = stack.use(await openHosts(shape.length));
    await joinWire(hosts);
    const image = await buildHelloImage();
    stack.defer(() => rmSync(image, { force: true }));
    const machines: Machine[] = [];
    for (const [index, name] of shape.entries()) {
      const host = hosts.hosts[index] as Host;
      const kit = stack.use(new GantryKit(undefined, host.enter));
      const [first = kit] = machines.map((machine) => machine.kit);
      const words = index === 0 ? [name, ...serverFlags(host)] : [name];
      if (name === "node") {
        const { code, stdout, stderr } = await first.gantry("token");
        assert.equal(code, 0, stderr);
        await kit.startNode("--join", stdout.trim());
      } else if (name === "up") await kit.start(...words.slice(1));
      else await kit.startServer(...words.slice(1));
      if (name !== "server") await kit.loadImage(image);
      machines.push({ kit, host, words, lives: [] });
    }
    return new Machines(stack.move(), hosts, machines);
  }

  /** The one with the server. */
  get server(): GantryKit {
    return this.#at(0).kit;
  }

  /** Those that run containers. */
  get nodeDirectories(): string[] {
    const nodes = this.#machines.filter(({ words }) => words[0] !== "server");
    return nodes.map(({ kit }) => kit.directory);
  }

  async begin({ kind, machine: index }: Fault): Promise<void> {
    const machine = this.#at(index);
    if (kind === "cut") await this.#cut(index);
    else if (kind === "kill-containerd") killContainerd(machine.kit.directory);
    else {
      this.requireAlive(index);
      await machine.kit.stop("SIGKILL");
      machine.lives.push(machine.kit.output);
    }
  }

  async end({ kind, machine: index }: Fault): Promise<void> {
    const { kit, words } = this.#at(index);
    if (kind === "cut") await setCable(this.#hosts, index + 1, "up");
    if (kind === "kill") kit.launch(words);
  }

  /** Throws for a Gantry that ended without being killed by this test. */
  requireAlive(index?: number): void {
    const looked = index === undefined ? this.#machines : [this.#at(index)];
    for (const { kit, words } of looked)
      if (kit.ended !== undefined) throw new Error(`gantry ${words[0]} ended ${kit.ended}`);
  }

  /** The last that each Gantry said. */
  tails(): string {
    const all = this.#machines.flatMap(({ kit, words, lives }, index) => [
      `--- machine ${index}: gantry ${words[0]}, ${kit.directory}, killed ${lives.length} times`,
      ...[...lives, kit.output]
        .slice(-LIVES_SHOWN)
        .flatMap((text) => ["...", ...text.trimEnd().split("\n").slice(-LINES_SHOWN)]),
    ]);
    return all.join("\n");
  }

  /** Both ends see it soon when a switch resets what it no longer carries; when they are only silent, it takes them minutes. */
  async #cut(index: number): Promise<void> {
    const { host } = this.#at(index);
    await setCable(this.#hosts, index + 1, "down");
    const [program = "", ...words] = this.#at(0).host.enter;
    await command(program, [...words, "ss", "-K", "-t", "dst", host.address]);
  }

  #at(index: number): Machine {
    const machine = this.#machines[index];
    if (machine === undefined) throw new Error(`there is no machine ${index}`);
    return machine;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function serverFlags({ address }: Host): string[] {
  const door = ["--listen", `${address}:${PORT}`, "--tls", "generate"];
  return [...door, "--node-loss-after", `${LOSS_AFTER_MS / 1000}s`];
}

/** Does nothing where none runs: Gantry may be starting it at this moment. */
function killContainerd(directory: string): void {
  const home = join(directory, "node", "containerd");
  try {
    const pid = Number(readFileSync(join(home, "containerd.pid"), "utf8"));
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    if (line.includes(join(home, "config.toml"))) process.kill(pid, "SIGKILL");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["ENOENT", "ESRCH"].includes(code)) throw error;
  }
}
