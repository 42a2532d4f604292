import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { globSync, readlinkSync, statSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../lib/clock.ts";
import { IpSessions } from "./ip-sessions.ts";
import { unmetNeed } from "./testing/hosts.fixture.ts";

const TIMEOUT_MS = 60_000;

const ip = (line: string): string => execFileSync("ip", line.split(" ")).toString();
const pathOf = (namespace: string): string => `/run/netns/${namespace}`;

function open(t: TestContext): { sessions: IpSessions; namespace: string } {
  const namespace = `test-${randomBytes(3).toString("hex")}`;
  ip(`netns add ${namespace}`);
  const sessions = new IpSessions({
    shellPath: "/bin/sh",
    toolIn: (name) => (name ? ["nsenter", `--net=${pathOf(name)}`, "--", "ip"] : ["ip"]),
    pathOf,
    clock: systemClock,
  });
  t.after(() => {
    sessions.close();
    ip(`netns del ${namespace}`);
  });
  return { sessions, namespace };
}

/** The processes that are in a network namespace. */
function processesIn(namespace: number): readonly string[] {
  return globSync("/proc/[0-9]*/ns/net").filter((path) => {
    try {
      return readlinkSync(path) === `net:[${namespace}]`;
    } catch {
      return false;
    }
  });
}

describe("IpSessions", { skip: unmetNeed() }, () => {
  it("runs in one process what it is told, and stops at the line that fails", async (t) => {
    const { sessions, namespace } = open(t);
    const run = (...lines: string[]) => sessions.run(namespace, lines, TIMEOUT_MS);
    const { ino } = statSync(pathOf(namespace));
    assert.equal(await run("link add br0 type bridge", "link set br0 up"), undefined);
    const [first] = processesIn(ino);
    assert.equal(await run("address add 10.0.0.1/32 dev br0"), undefined);
    assert.deepEqual(processesIn(ino), [first]);

    const failure = await run(
      "link add br1 type bridge",
      "link add br0 type bridge",
      "link del br1",
    );
    assert.deepEqual(failure, { line: 1, text: "RTNETLINK answers: File exists" });
    const missing = await run("link set no-such-link up");
    assert.deepEqual(missing, { line: 0, text: `Cannot find device "no-such-link"` });
    assert.equal(await run("link set br1 up"), undefined);
    const links = ip(`-n ${namespace} -brief link show up`);
    assert.deepEqual(links.match(/^\w+/gm)?.toSorted(), ["br0", "br1"]);
  });

  it("answers those who ask at the same time in their order", async (t) => {
    const { sessions, namespace } = open(t);
    const answers = await Promise.all(
      [
        "link add br0 type bridge",
        "link add br0 type bridge",
        "link del br0",
        "link add br0 type bridge",
      ].map((line) => sessions.run(namespace, [line], TIMEOUT_MS)),
    );
    assert.deepEqual(
      answers.map((answer) => answer?.text),
      [undefined, "RTNETLINK answers: File exists", undefined, undefined],
    );
  });

  it("finds a link that has come in place of one of the same name", async (t) => {
    const { sessions, namespace } = open(t);
    const run = (...lines: string[]) => sessions.run(namespace, lines, TIMEOUT_MS);
    assert.equal(await run("link add br0 type bridge", "link set br0 up"), undefined);
    ip(`-n ${namespace} link del br0`);
    ip(`-n ${namespace} link add br0 type bridge`);
    assert.equal(await run("link set lo up", "link set br0 up", "link set br0 down"), undefined);
    const failure = await run("link set lo up", "link set br0 up", "link set br1 up");
    assert.deepEqual(failure, { line: 2, text: 'Cannot find device "br1"' });
  });

  it("goes where the name leads now", async (t) => {
    const { sessions, namespace } = open(t);
    assert.equal(await sessions.run(namespace, ["link set lo up"], TIMEOUT_MS), undefined);
    ip(`netns del ${namespace}`);
    ip(`netns add ${namespace}`);
    assert.equal(
      await sessions.run(namespace, ["link add br0 type bridge"], TIMEOUT_MS),
      undefined,
    );
    assert.match(ip(`-n ${namespace} -brief link show`), /^br0 /m);
  });

  it("says in its tool's words that a namespace is not there", async (t) => {
    const { sessions } = open(t);
    const failure = await sessions.run("test-none", ["link set lo up"], TIMEOUT_MS);
    assert.match(failure?.text ?? "", /test-none.*No such file or directory/);
  });

  it("leaves nobody in a namespace that it was told to leave", async (t) => {
    const { sessions, namespace } = open(t);
    await sessions.run(namespace, ["link set lo up"], TIMEOUT_MS);
    const { ino } = statSync(pathOf(namespace));
    sessions.leave(namespace);
    while (processesIn(ino).length > 0) await delay(10);
  });
});
