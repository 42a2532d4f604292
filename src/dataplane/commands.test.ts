import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../lib/clock.ts";
import { batches, type Command } from "./command.ts";
import { createCommandRunner } from "./commands.ts";
import { parseOtherTables } from "./observe.ts";
import { findTools } from "./tools.ts";

const ip = (line: string, namespace?: string): Command => ({
  tool: "ip",
  namespace,
  args: line.split(" "),
});

test("batches() joins neighbours that one process can run, and keeps the order", () => {
  const commands: Command[] = [
    ip("link set a up"),
    ip("link set b up"),
    { ...ip("link del c"), absentIsFine: true } as Command,
    ip("link set d up", "other"),
    { tool: "sysctl", namespace: "other", path: "net/ipv4/ip_forward", value: "1" },
    { tool: "sysctl", namespace: "other", path: "net/ipv4/conf/all/rp_filter", value: "1" },
    { tool: "nft", namespace: "other", script: "" },
    { tool: "nft", namespace: "other", script: "" },
  ];
  const joined = batches(commands);
  assert.deepEqual(
    joined.map((batch) => batch.length),
    [2, 1, 1, 2, 1, 1],
  );
  assert.deepEqual(joined.flat(), commands);
});

test("findTools() names the package of a tool that is missing", () => {
  assert.throws(() => findTools(["/nonexistent"]), {
    name: "SetupError",
    message: /program ip, .*apt-get install iproute2/,
  });
});

test("an argument that would be more than one word never reaches a tool", async (t) => {
  let runner: ReturnType<typeof createCommandRunner>;
  try {
    runner = createCommandRunner({ hostNamespacePath: undefined, clock: systemClock });
  } catch (error) {
    return t.skip(String(error));
  }
  const evil: Command = { tool: "ip", namespace: undefined, args: ["link", "show\nlink del lo"] };
  await assert.rejects(runner.run([evil]), { name: "InvariantError" });
  await assert.rejects(runner.run([ip("link show", "../x")]), { name: "InvariantError" });
});

test("a failing command is reported with its own line and the tool's words", async (t) => {
  let runner: ReturnType<typeof createCommandRunner>;
  try {
    runner = createCommandRunner({ hostNamespacePath: undefined, clock: systemClock });
  } catch (error) {
    return t.skip(String(error));
  }
  const commands = [ip("link show lo"), ip("link show no-such-link"), ip("link show lo")];
  await assert.rejects(runner.run(commands), {
    name: "DataplaneError",
    message: /^ip link show no-such-link: Device "no-such-link" does not exist/,
  });
});

test("what is to be removed and is gone holds up nothing that comes after it", async (t) => {
  let runner: ReturnType<typeof createCommandRunner>;
  try {
    runner = createCommandRunner({ hostNamespacePath: undefined, clock: systemClock });
  } catch (error) {
    return t.skip(String(error));
  }
  t.after(() => runner.close());
  const gone = { ...ip("link del no-such-link"), absentIsFine: true } as Command;
  await runner.run([ip("link show lo"), gone, ip("link show lo"), gone, gone]);
  await assert.rejects(runner.run([gone, ip("link show lo"), gone, ip("link show no-such-link")]), {
    message: /^ip link show no-such-link: Device/,
  });
});

test("parseOtherTables() finds policies that drop what is forwarded, and another system's endpoints", () => {
  const chain = (table: string, hook: string, policy: string, name = "FORWARD"): unknown => ({
    chain: { family: "ip", table, name, hook, policy },
  });
  const json = {
    nftables: [
      { metainfo: {} },
      chain("filter", "forward", "drop"),
      chain("filter", "input", "drop"),
      chain("other", "forward", "accept"),
      chain("gantry_a1b2c3", "forward", "drop"),
      chain("gantry_a1b2c3", "output", "accept", "endpoints"),
      chain("gantry_d4e5f6_bridge", "prerouting", "accept", "guard"),
    ],
  };
  const forwardDrops = ["ip filter FORWARD"];
  assert.deepEqual(parseOtherTables(json, "gantry_a1b2c3"), { forwardDrops, endpoints: undefined });
  const nftables = [...json.nftables, chain("gantry_d4e5f6", "output", "accept", "endpoints")];
  assert.equal(parseOtherTables({ nftables }, "gantry_a1b2c3").endpoints, "gantry_d4e5f6");
  assert.equal(parseOtherTables({ nftables }, "gantry_d4e5f6").endpoints, "gantry_a1b2c3");
});
