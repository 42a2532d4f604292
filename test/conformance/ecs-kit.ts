/** ECS behind a real door, on state in memory: what the SDK sees of it. */
import {
  openWorld,
  type World,
  writeInstance,
  writeNetwork,
} from "../../src/ecs/control/control.fixture.ts";
import type { Instance } from "../../src/ecs/model/instance.ts";
import { FLEET_ACCOUNT_ID, FLEET_CLUSTER } from "../../src/ecs/model/keys.ts";
import { ecsService } from "../../src/ecs/operations/table.ts";
import { authorize } from "../../src/iam/authorize.ts";
import { ACCOUNT_ID, startDoor, type TestDoor } from "../door-kit.ts";

export interface EcsDoor extends AsyncDisposable {
  readonly ecs: TestDoor["ecs"];
  readonly world: World;
  /** Joins a machine of 4 vCPU and 8 GiB to a cluster of the account. */
  addInstance(clusterName: string, id: string): Promise<void>;
  /** The same machine's registration with the fleet. */
  addFleetInstance(id: string): Promise<void>;
}

/** What the definitions of the tests need. */
const ATTRIBUTES: Instance["attributes"] = [
  { name: "ecs.availability-zone", value: "us-east-1a" },
  { name: "ecs.cpu-architecture", value: "x86_64" },
  ...[
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
  ].map((name) => ({ name })),
];

/** Opens the door. The account has `vpc-1` with `subnet-1`, and no cluster yet. */
export async function openEcsDoor(): Promise<EcsDoor> {
  const world = await openWorld();
  // The door has the machine's clock, since the SDK signs by it; the world's stands still.
  const door = await startDoor({ services: [ecsService(world, {})], authorize });
  const network = writeNetwork().map(({ key, value }) => ({
    key: key.replace("111111111111", ACCOUNT_ID),
    value: { ...(value as object), accountId: ACCOUNT_ID },
  }));
  await world.put(...network);
  const add = (overrides: Partial<Instance>): Promise<void> =>
    world.put(writeInstance({ attributes: ATTRIBUTES, ...overrides }));
  return {
    ecs: door.ecs,
    world,
    addInstance: (clusterName, id) => add({ accountId: ACCOUNT_ID, clusterName, id }),
    addFleetInstance: (id) => add({ accountId: FLEET_ACCOUNT_ID, clusterName: FLEET_CLUSTER, id }),
    [Symbol.asyncDispose]: async () => {
      await door[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}
