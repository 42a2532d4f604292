import assert from "node:assert/strict";
import { test } from "node:test";
import { buildInstance } from "./instance.fixture.ts";
import { remainingOf, resourcesOf, takenBy } from "./resources.ts";
import { buildContainer, buildTask } from "./task.fixture.ts";
import type { TaskDefinitionDocument } from "./task-definition.ts";

const document: TaskDefinitionDocument = {
  networkMode: "bridge",
  containerDefinitions: [
    { name: "a", cpu: 100, memory: 64, memoryReservation: 32, portMappings: [{ hostPort: 80 }] },
    {
      name: "b",
      memory: 16,
      portMappings: [{ hostPort: 53, protocol: "udp" }, { hostPort: 0 }],
    },
  ],
};
const none = { containerOverrides: [] };

test("a task without a size takes the sum of its containers, reservations before limits", () => {
  assert.deepEqual(resourcesOf(document, none), {
    cpuUnits: 100,
    memoryMiB: 48,
    ports: [80],
    portsUdp: [53],
  });
});

test("a task's own size counts alone, and overrides win over both", () => {
  const sized = { ...document, cpu: "256", memory: "512" };
  assert.equal(resourcesOf(sized, none).memoryMiB, 512);
  assert.equal(resourcesOf(sized, { cpu: "1024", containerOverrides: [] }).cpuUnits, 1024);
  assert.equal(
    resourcesOf(document, { containerOverrides: [{ name: "b", cpu: 7 }] }).cpuUnits,
    107,
  );
});

test("a task with an address of its own takes no ports of the machine", () => {
  assert.deepEqual(resourcesOf({ ...document, networkMode: "awsvpc" }, none).ports, []);
});

test("takenBy() counts the ports that the machine drew, and remainingOf() those of the agent", () => {
  const container = buildContainer({
    networkBindings: [
      { hostPort: 32_768, protocol: "tcp" },
      { hostPort: 40_000, protocol: "udp" },
    ],
  });
  const taken = takenBy([buildTask({ containers: [container] }), buildTask()]);
  assert.deepEqual(taken, { cpuUnits: 512, memoryMiB: 1024, ports: [32_768], portsUdp: [40_000] });
  assert.deepEqual(remainingOf(buildInstance(), taken), {
    cpuUnits: 4096 - 512,
    memoryMiB: 8192 - 1024,
    ports: [22, 32_768],
    portsUdp: [40_000],
  });
});

test("takenBy() counts each port of a range, and believes no nonsense", () => {
  const container = buildContainer({
    networkBindings: [
      { containerPortRange: "80-82", hostPortRange: "40000-40002", protocol: "tcp" },
      { hostPortRange: "9-1", protocol: "tcp" },
      { hostPortRange: "x-y", protocol: "tcp" },
    ],
  });
  const { ports } = takenBy([buildTask({ containers: [container] })]);
  assert.deepEqual(ports, [40_000, 40_001, 40_002]);
});
