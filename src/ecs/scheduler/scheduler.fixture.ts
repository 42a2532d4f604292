import { buildInstance } from "../model/instance.fixture.ts";
import type { Instance } from "../model/instance.ts";
import { NO_RESOURCES } from "../model/resources.ts";
import type { Candidate, PlacementRequest } from "./snapshot.ts";

/** An idle instance, the only one of its machine unless told otherwise. */
export function buildCandidate(
  number: number,
  overrides: Partial<Instance> = {},
  rest: Partial<Omit<Candidate, "instance">> = {},
): Candidate {
  return {
    instance: buildInstance({
      id: `instance-${number}`,
      ec2InstanceId: `i-${number}`,
      ...overrides,
    }),
    taken: NO_RESOURCES,
    runningTasksCount: 0,
    unconfirmedCount: 0,
    groups: new Map(),
    ...rest,
  };
}

/** One task of 1 vCPU and 1 GiB that any instance may take. */
export function buildRequest(overrides: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    count: 1,
    needs: { cpuUnits: 1024, memoryMiB: 1024, ports: [], portsUdp: [] },
    attributes: [],
    group: "family:hello",
    constraints: [],
    strategies: [],
    ...overrides,
  };
}

/** An instance in a zone. */
export function inZone(zone: string): Partial<Instance> {
  return { attributes: [{ name: "ecs.availability-zone", value: zone }] };
}
