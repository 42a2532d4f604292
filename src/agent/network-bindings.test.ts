import assert from "node:assert/strict";
import { test } from "node:test";
import type { PayloadPortMapping } from "../protocol/acs.ts";
import { networkBindingsOf, portMapsOf } from "./network-bindings.ts";

test("portMapsOf() reads ports and ranges; host port 0 and none mean any", () => {
  const mappings = [
    { containerPort: 80, hostPort: 8080, protocol: "tcp" },
    { containerPort: 53, hostPort: 0, protocol: "udp" },
    { containerPort: 81, protocol: "sctp" },
    { containerPortRange: "8000-8010", protocol: "tcp" },
  ] as readonly PayloadPortMapping[];
  assert.deepEqual(portMapsOf(mappings), [
    { protocol: "tcp", containerPorts: { first: 80, last: 80 }, hostPort: 8080 },
    { protocol: "udp", containerPorts: { first: 53, last: 53 }, hostPort: undefined },
    { protocol: "tcp", containerPorts: { first: 81, last: 81 }, hostPort: undefined },
    { protocol: "tcp", containerPorts: { first: 8000, last: 8010 }, hostPort: undefined },
  ]);
});

test("portMapsOf() refuses what names no ports, and says which", () => {
  const wrong = [
    { protocol: "tcp" },
    { containerPort: 70_000, protocol: "tcp" },
    { containerPort: 80, hostPort: -1, protocol: "tcp" },
    { containerPortRange: "9-1", protocol: "tcp" },
    { containerPortRange: "1-2-3x", protocol: "tcp", hostPort: 70_000 },
    { containerPortRange: "a-b", protocol: "tcp" },
  ] as readonly PayloadPortMapping[];
  for (const mapping of wrong) {
    assert.throws(() => portMapsOf([mapping]), {
      name: "RangeError",
      message: `port mapping ${JSON.stringify(mapping)} is invalid`,
    });
  }
});

test("networkBindingsOf() shows one port as a number and several as ranges", () => {
  const bindings = networkBindingsOf([
    {
      protocol: "tcp",
      containerPorts: { first: 80, last: 80 },
      hostPorts: { first: 8080, last: 8080 },
    },
    {
      protocol: "udp",
      containerPorts: { first: 8000, last: 8001 },
      hostPorts: { first: 40_000, last: 40_001 },
    },
  ]);
  assert.deepEqual(bindings, [
    { bindIP: "0.0.0.0", protocol: "tcp", containerPort: 80, hostPort: 8080 },
    {
      bindIP: "0.0.0.0",
      protocol: "udp",
      containerPortRange: "8000-8001",
      hostPortRange: "40000-40001",
    },
  ]);
});
