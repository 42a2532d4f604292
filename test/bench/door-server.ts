/**
 * One server of the door's bench: `door-server.ts bare|door`. Prints its port, then its CPU time in microseconds for
 * every line it is sent.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import type { Operations } from "../../src/door/service.ts";
import { startDoor } from "../door-kit.ts";

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

async function startFull(): Promise<number> {
  const operations: Operations<typeof import("@aws-sdk/client-ecs")> = {
    DescribeClusters: {
      support: "full",
      action: "ecs:DescribeClusters",
      resources: ({ clusters = [] }) =>
        clusters.map((name) => `arn:aws:ecs:us-east-1:0:cluster/${name}`),
      handle: async () => ({ clusters: [CLUSTER], failures: [] }),
    },
  };
  return (await startDoor({ services: [{ name: "ecs", operations }], strict: false })).port;
}

console.log(process.argv[2] === "door" ? await startFull() : await startBare());
for await (const _ of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage();
  console.log(user + system);
}
process.exit();
