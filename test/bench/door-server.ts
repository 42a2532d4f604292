/**
 * One server of the door's bench: `door-server.ts bare|door|access`. Prints its port, then its CPU time in microseconds for
 * every line it is sent.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import type { Operations } from "../../src/door/service.ts";
import type { Access } from "../../src/iam/access.ts";
import { startDoor } from "../door-kit.ts";
import { openAccess } from "./access-world.ts";

const CLUSTER = {
  clusterArn: "arn:aws:ecs:us-east-1:000000000000:cluster/demo",
  clusterName: "demo",
  status: "ACTIVE",
  registeredContainerInstancesCount: 3,
  runningTasksCount: 12,
  pendingTasksCount: 0,
  activeServicesCount: 2,
  statistics: [],
  tags: [{ key: "team", value: "web" }],
  settings: [],
  capacityProviders: ["FARGATE", "FARGATE_SPOT"],
  defaultCapacityProviderStrategy: [],
};

async function startBare(): Promise<number> {
  const server = createServer((_request, response) => response.end("{}"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** `access`: what IAM adds to it. */
async function startFull(access?: Access): Promise<number> {
  const operations: Operations<typeof import("@aws-sdk/client-ecs")> = {
    DescribeClusters: {
      support: "full",
      action: "ecs:DescribeClusters",
      resources: ({ clusters = [] }) =>
        clusters.map((name) => `arn:aws:ecs:us-east-1:000000000000:cluster/${name}`),
      handle: async () => ({ clusters: [CLUSTER], failures: [] }),
    },
  };
  const services = [{ name: "ecs", operations }];
  return (await startDoor({ services, strict: false, ...access })).port;
}

async function start(kind: string | undefined): Promise<number> {
  if (kind === "bare") return startBare();
  return startFull(kind === "access" ? await openAccess({ withConditions: false }) : undefined);
}

console.log(await start(process.argv[2]));
for await (const _ of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage();
  console.log(user + system);
}
process.exit();
