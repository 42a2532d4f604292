/** Tasks on the bridge and on the machine's own network, with real containers, as an SDK user and the machine's users see them. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import {
  type RegisterTaskDefinitionCommandInput,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs";
import { fetchText, GantryKit, skipReason, until } from "./gantry-kit.ts";
import { buildHelloImage, helloContainer } from "./images.ts";

const skip = await skipReason();

/** Fails unless the container finds itself and its machine's VPC at the metadata endpoint, and nothing where a cloud has the machine's. */
const ASK_METADATA = `wget -q -O - "$ECS_CONTAINER_METADATA_URI_V4/task" | grep "$TASK_FAMILY" | grep -q '"VPCID":"vpc-' || exit 3
timeout 2 wget -q -O - http://169.254.169.254/ && exit 4
exit 0`;

describe("the bridge", { skip, concurrency: false }, () => {
  let gantry: GantryKit;
  let image: string;

  before(async () => {
    gantry = new GantryKit();
    await gantry.start();
    image = await buildHelloImage();
    await gantry.loadImage(image);
  });
  after(async () => {
    await gantry[Symbol.asyncDispose]();
    rmSync(image, { force: true });
  });

  async function stop(arn: string): Promise<Task> {
    await gantry.ecs.send(new StopTaskCommand({ task: arn }));
    return gantry.taskIs("default", arn, "STOPPED");
  }

  const hostPorts = (task: Task, name = "main"): (number | undefined)[] =>
    task.containers
      ?.find((one) => one.name === name)
      ?.networkBindings?.map(({ hostPort }) => hostPort) ?? [];

  test("ports are drawn, shown, reached from the machine, kept over kill -9, and given back", async () => {
    const definition: RegisterTaskDefinitionCommandInput = {
      family: "drawn",
      containerDefinitions: [
        helloContainer({
          portMappings: [
            { containerPort: 80 },
            { containerPort: 53, hostPort: 0, protocol: "udp" },
            { containerPortRange: "7000-7002" },
          ],
        }),
      ],
    };
    const arns = [await gantry.runTask(definition), await gantry.runTask(definition)];
    const tasks = await Promise.all(arns.map((arn) => gantry.taskIs("default", arn, "RUNNING")));
    const ports = tasks.map((task) => hostPorts(task)[0]);
    assert.notEqual(ports[0], ports[1]);
    for (const port of ports) {
      assert.match(await fetchText(`http://127.0.0.1:${port}/`), /Hello from Gantry/);
    }
    const bindings = tasks[0]?.containers?.[0]?.networkBindings ?? [];
    assert.deepEqual(
      bindings.map(({ bindIP, containerPort, containerPortRange, protocol }) => [
        bindIP,
        containerPort ?? containerPortRange,
        protocol,
      ]),
      [
        ["0.0.0.0", 80, "tcp"],
        ["0.0.0.0", 53, "udp"],
        ["0.0.0.0", "7000-7002", "tcp"],
      ],
    );
    assert.match(bindings[2]?.hostPortRange ?? "", /^\d+-\d+$/);

    await gantry.stop("SIGKILL");
    assert.match(await fetchText(`http://127.0.0.1:${ports[0]}/`), /Hello/);
    await gantry.start();
    const again = await gantry.taskIs("default", arns[0], "RUNNING");
    assert.deepEqual(again.containers?.[0]?.networkBindings, bindings);
    assert.match(await fetchText(`http://127.0.0.1:${ports[0]}/`), /Hello/);
    for (const arn of arns) await stop(arn);
    await assert.rejects(fetch(`http://127.0.0.1:${ports[0]}/`));
  });

  test("a container finds what it links to by its alias", async () => {
    const arn = await gantry.runTask({
      family: "linked",
      networkMode: "bridge",
      containerDefinitions: [
        helloContainer({
          name: "client",
          links: ["web:store"],
          entryPoint: ["sh", "-c"],
          command: ['wget -q -O - "http://store/" && test "$STORE_PORT_80_TCP_PORT" = 80'],
        }),
        helloContainer({ name: "web", essential: false, portMappings: [{ containerPort: 80 }] }),
      ],
    });
    const task = await gantry.taskIs("default", arn, "STOPPED");
    assert.equal(task.containers?.find(({ name }) => name === "client")?.exitCode, 0);
  });

  test("a port that a process of the machine has is refused with the reason", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    const port = await until("listening", () => (server.address() as AddressInfo | null)?.port);
    const arn = await gantry.runTask({
      family: "taken",
      networkMode: "bridge",
      containerDefinitions: [
        helloContainer({ portMappings: [{ containerPort: 80, hostPort: port }] }),
      ],
    });
    const task = await gantry.taskIs("default", arn, "STOPPED");
    server.close();
    assert.match(
      task.containers?.[0]?.reason ?? "",
      new RegExp(
        `^CannotStartContainerError: .*0\\.0\\.0\\.0:${port}: bind: address already in use`,
      ),
    );
  });

  for (const networkMode of ["bridge", "host", "awsvpc"] as const) {
    test(`a task in network mode ${networkMode} reaches its metadata, and no cloud's`, async () => {
      const subnets = [...gantry.client.subnetIds];
      const arn = await gantry.runTask(
        {
          family: `metadata-${networkMode}`,
          networkMode,
          containerDefinitions: [
            helloContainer({
              entryPoint: ["sh", "-c"],
              command: [ASK_METADATA],
              environment: [{ name: "TASK_FAMILY", value: `metadata-${networkMode}` }],
            }),
          ],
        },
        {
          launchType: "EC2",
          ...(networkMode === "awsvpc" && {
            networkConfiguration: { awsvpcConfiguration: { subnets } },
          }),
        },
      );
      const task = await gantry.taskIs("default", arn, "STOPPED");
      assert.equal(task.containers?.[0]?.exitCode, 0);
    });
  }

  test("host mode shows its ports as bindings", async () => {
    const port = 20_000 + (process.pid % 10_000);
    const arn = await gantry.runTask({
      family: "host-ports",
      networkMode: "host",
      containerDefinitions: [
        helloContainer({
          portMappings: [{ containerPort: port }],
          entryPoint: [],
          command: ["httpd", "-f", "-p", `127.0.0.1:${port}`, "-h", "/www"],
        }),
      ],
    });
    const task = await gantry.taskIs("default", arn, "RUNNING");
    assert.deepEqual(hostPorts(task), [port]);
    await stop(arn);
  });
});
