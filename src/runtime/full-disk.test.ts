/** The disk of containers' output fills up under them: they run on, and their output goes on when there is room. */
import assert from "node:assert/strict";
import {
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { eventually, useRealRuntime } from "../../test/images/real-runtime.ts";
import { SmallDisk } from "../../test/small-disk.ts";
import type { ContainerSpec, ExitState } from "./runtime.ts";

const real = await useRealRuntime();
const disk = SmallDisk.mount(16 << 20);
const skip = real.skip || (disk === undefined && "needs the right to mount a tmpfs");
after(() => disk?.[Symbol.dispose]());
const never = new AbortController().signal;

/** Much more than a pipe holds. */
const NUMBERS = 100_000;
/** containerd's shim: what it has read from a pipe and cannot write is lost. */
const SHIM_BUFFER_BYTES = 32_768;

/** A container that says `first`, counts once the disk is full, and says `last` once there is room. */
class Talker implements AsyncDisposable {
  readonly #id: string;
  readonly #outputPath: string;
  readonly #signs: string;

  constructor(id: string) {
    assert.ok(disk);
    this.#id = id;
    this.#outputPath = join(disk.path, id);
    this.#signs = mkdtempSync(join(real.directory, "signs-"));
  }

  async start(count: string, over: Partial<ContainerSpec> = {}): Promise<void> {
    const awaits = (sign: string): string => `until test -e /signs/${sign}; do sleep 0.05; done`;
    const script = `echo first; ${awaits("full")}; ${count}; echo > /signs/counted; ${awaits("room")}; echo last; exit 5`;
    const mounts = [{ source: this.#signs, target: "/signs", readonly: false }];
    const { runtime } = real;
    const spec = { mounts, outputPath: this.#outputPath, ...over };
    await runtime.create(real.spec(this.#id, ["sh", "-c", script], spec));
    await runtime.start(this.#id);
    await eventually("it talks", () => this.output.startsWith("first\n"));
  }

  get output(): string {
    return readFileSync(this.#outputPath, "utf8");
  }

  /** What it has written after `first`, without what was cut off. */
  get numbers(): readonly number[] {
    return this.output
      .split("\n")
      .filter((line) => /^\d+$/.test(line))
      .map(Number);
  }

  give(sign: "full" | "room"): void {
    writeFileSync(join(this.#signs, sign), "");
  }

  get hasCounted(): boolean {
    return existsSync(join(this.#signs, "counted"));
  }

  /** How many files of its output the shim has open. */
  get copied(): number {
    const fds = real.shims().flatMap((pid) => globSync(`/proc/${pid}/fd/*`));
    return fds.filter((fd) => targetOf(fd).startsWith(this.#outputPath)).length;
  }

  async end(): Promise<ExitState> {
    const exit = await real.runtime.wait(this.#id, never);
    await real.runtime.remove(this.#id);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await real.runtime.remove(this.#id);
  }
}

function targetOf(fd: string): string {
  try {
    return readlinkSync(fd);
  } catch {
    return "";
  }
}

/** Looks after outputs while it is in scope. */
function keepOutputs(): AsyncDisposable {
  const over = new AbortController();
  const keeping = real.runtime.keepOutputs(over.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await keeping;
    },
  };
}

test("a container writes on while the disk is full, and is heard again when there is room", {
  skip,
}, async () => {
  assert.ok(disk);
  await using talker = new Talker("full-a");
  await talker.start(`seq ${NUMBERS}`);
  disk.fill();
  talker.give("full");
  await eventually("the shim gives up", () => talker.copied === 1);
  // Also by a program that did not start it.
  await real.crash();
  await real.start();
  await using _keeping = keepOutputs();
  await eventually("it counts to the end", () => talker.hasCounted);
  disk.relieve();
  talker.give("room");
  assert.equal((await talker.end()).exitCode, 5);
  assert.match(talker.output, /^first\n[\s\S]*\nlast\n$/);
});

test("a container whose output may wait for room loses what its shim had in hand, and no more", {
  skip,
}, async () => {
  assert.ok(disk);
  await using talker = new Talker("wait-a");
  await talker.start(`seq ${NUMBERS} >&2`, { outputWaits: true });
  disk.fill();
  talker.give("full");
  await eventually("the shim gives up", () => talker.copied === 1);
  await using _keeping = keepOutputs();
  talker.give("room");
  disk.relieve();
  assert.equal((await talker.end()).exitCode, 5);
  const { numbers } = talker;
  const all = Array.from({ length: NUMBERS }, (_, index) => index + 1);
  const found = new Set(numbers);
  const lost = all.filter((number) => !found.has(number));
  assert.ok(lost.join("\n").length <= SHIM_BUFFER_BYTES + 16, `${lost.length} lines are lost`);
  assert.equal(numbers.at(-1), NUMBERS);
  // It is said on the other stream, which has no order with this one.
  assert.ok(talker.output.includes("last\n"));
});

test("a stream that is closed or is the other one is left to the shim", { skip }, async () => {
  await using talker = new Talker("calm-a");
  await talker.start(
    `exec 2>&1; echo ready; until test -e /signs/room; do :; done; seq ${NUMBERS}`,
  );
  talker.give("full");
  await eventually("it is one stream", () => talker.copied === 1);
  await using _keeping = keepOutputs();
  talker.give("room");
  assert.equal((await talker.end()).exitCode, 5);
  const all = Array.from({ length: NUMBERS }, (_, index) => index + 1);
  assert.equal(talker.output, ["first", "ready", ...all, "last", ""].join("\n"));
});
