/** ECS behind a real door, on state in memory: what the SDK sees of it. */

import { ec2Indexes } from "../../src/ec2/indexes.ts";
import { ec2Service } from "../../src/ec2/operations.ts";
import {
  openWorld,
  type World,
  writeInstance,
  writeNetwork,
} from "../../src/ecs/control/control.fixture.ts";
import { createNodeOwnership } from "../../src/ecs/control/node-ownership.ts";
import type { Instance } from "../../src/ecs/model/instance.ts";
import { FLEET_ACCOUNT_ID, FLEET_CLUSTER } from "../../src/ecs/model/keys.ts";
import { ecsService } from "../../src/ecs/operations/table.ts";
import { createAccess } from "../../src/iam/access.ts";
import { iamIndexes } from "../../src/iam/indexes.ts";
import { writeRole } from "../../src/iam/model/role.fixture.ts";
import { Sessions } from "../../src/sts/session.ts";
import { ACCOUNT_ID, startDoor, type TestDoor } from "../door-kit.ts";

export interface EcsDoor extends AsyncDisposable {
  readonly ecs: TestDoor["ecs"];
  readonly url: string;
  readonly world: World;
  /** Joins a machine of 4 vCPU and 8 GiB to a cluster of the account. */
  addInstance(clusterName: string, id: string, overrides?: Partial<Instance>): Promise<void>;
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
  const world = await openWorld({ ...ec2Indexes, ...iamIndexes });
  // The door has the machine's clock, since the SDK signs by it; the world's stands still.
  const { authorize } = createAccess({
    ...world,
    sessions: new Sessions(world),
    mayNode: createNodeOwnership(world),
  });
  const door = await startDoor({ services: [ecsService(world, {}), ec2Service(world)], authorize });
  await world.put(writeRole({ accountId: ACCOUNT_ID, roleName: "execution" }));
  const network = writeNetwork().map(({ key, value }) => ({
    key: key.replace("111111111111", ACCOUNT_ID),
    value: { ...(value as object), accountId: ACCOUNT_ID },
  }));
  await world.put(...network);
  const add = (overrides: Partial<Instance>): Promise<void> =>
    world.put(writeInstance({ attributes: ATTRIBUTES, ...overrides }));
  return {
    ecs: door.ecs,
    url: door.url,
    world,
    addInstance: (clusterName, id, overrides) =>
      add({ accountId: ACCOUNT_ID, clusterName, id, ...overrides }),
    addFleetInstance: (id) => add({ accountId: FLEET_ACCOUNT_ID, clusterName: FLEET_CLUSTER, id }),
    [Symbol.asyncDispose]: async () => {
      await door[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}
