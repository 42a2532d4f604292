import type { Instance } from "./instance.ts";

/** A connected instance of 4 vCPU and 8 GiB in `us-east-1a`; override what the test is about. */
export function buildInstance(overrides: Partial<Instance> = {}): Instance {
  return {
    accountId: "111111111111",
    region: "us-east-1",
    clusterName: "demo",
    id: "22222222222222222222222222222222",
    ec2InstanceId: "i-00000000000000001",
    status: "ACTIVE",
    agentConnected: true,
    registered: { cpuUnits: 4096, memoryMiB: 8192, ports: [22], portsUdp: [] },
    attributes: [
      { name: "ecs.availability-zone", value: "us-east-1a" },
      { name: "ecs.cpu-architecture", value: "x86_64" },
      { name: "ecs.capability.task-eni" },
    ],
    versionInfo: {},
    registeredAt: 1_000,
    tags: [],
    ...overrides,
  };
}
