import type { Container, Task } from "./task.ts";

/** A container as placement writes it; override what the test is about. */
export function buildContainer(overrides: Partial<Container> = {}): Container {
  return {
    name: "web",
    uuid: "00000000-0000-4000-8000-000000000001",
    image: "hello",
    essential: true,
    lastStatus: "PENDING",
    networkBindings: [],
    cpu: "256",
    ...overrides,
  };
}

/** A task with one essential container on an instance of its own account; override what the test is about. */
export function buildTask(overrides: Partial<Task> = {}): Task {
  const scope = { accountId: "111111111111", region: "us-east-1" };
  return {
    ...scope,
    clusterName: "demo",
    id: "11111111111111111111111111111111",
    family: "hello",
    revision: 1,
    launchType: "EC2",
    group: "family:hello",
    enableExecuteCommand: false,
    tags: [],
    overrides: { containerOverrides: [] },
    networkMode: "host",
    placement: {
      instance: { ...scope, clusterName: "demo", id: "22222222222222222222222222222222" },
      ec2InstanceId: "i-00000000000000001",
      availabilityZone: "us-east-1a",
    },
    reserved: { cpuUnits: 256, memoryMiB: 512, ports: [], portsUdp: [] },
    desiredStatus: "RUNNING",
    lastStatus: "PENDING",
    version: 1,
    containers: [buildContainer()],
    createdAt: 1_000,
    ...overrides,
  };
}
