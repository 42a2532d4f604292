/** A server's machine and one that joins it, as two hosts in network namespaces. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { command, GantryKit, skipReason, until } from "./gantry-kit.ts";
import { type Host, openHosts } from "./hosts.ts";
import { buildHelloImage } from "./images.ts";

const skip = await skipReason();

describe("two machines", { skip, concurrency: false }, () => {
  const stack = new AsyncDisposableStack();
  let server: GantryKit;
  let node: GantryKit;
  let hosts: Host[];
  let token: string;

  before(async () => {
    hosts = stack.use(await openHosts(2)).hosts;
    const image = await buildHelloImage();
    stack.defer(() => rmSync(image, { force: true }));
    server = stack.use(new GantryKit(undefined, host(0).enter));
    node = stack.use(new GantryKit(undefined, host(1).enter));
    await server.start("--listen", `${host(0).address}:0`, "--tls", "generate");
    token = (await server.gantry("token")).stdout.trim();
    await node.startNode("--join", token, "--zone", "us-east-1b");
    for (const machine of [server, node]) await machine.loadImage(image);
  });
  after(() => stack.disposeAsync());

  const host = (index: number): Host => hosts[index] as Host;

  async function aws<T>(...words: string[]): Promise<T> {
    const { code, stdout, stderr } = await server.gantry("aws", "ecs", ...words);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout || "{}") as T;
  }

  interface Tasks {
    tasks: {
      taskArn: string;
      lastStatus: string;
      stoppedReason?: string;
      availabilityZone: string;
      containers: { exitCode?: number; networkInterfaces: { privateIpv4Address: string }[] }[];
    }[];
    failures: unknown[];
  }

  /** Starts a FARGATE task in the zone of one of the machines, or a task on the bridge of any: its ARN. */
  async function start(
    zone: number | "bridge",
    container: object,
    family: string,
  ): Promise<string> {
    const definition = {
      family,
      ...(zone === "bridge"
        ? { networkMode: "bridge", memory: "64" }
        : {
            networkMode: "awsvpc",
            requiresCompatibilities: ["FARGATE"],
            cpu: "256",
            memory: "512",
          }),
      containerDefinitions: [{ name: "main", image: "hello:latest", stopTimeout: 2, ...container }],
    };
    await aws("register-task-definition", "--cli-input-json", JSON.stringify(definition));
    const place =
      zone === "bridge"
        ? ["--launch-type", "EC2"]
        : [
            "--launch-type",
            "FARGATE",
            "--network-configuration",
            `awsvpcConfiguration={subnets=[${server.client.subnetIds[zone]}]}`,
          ];
    const { tasks, failures } = await aws<Tasks>("run-task", "--task-definition", family, ...place);
    assert.deepEqual(failures, []);
    return tasks[0]?.taskArn ?? "";
  }

  const describeTask = async (arn: string): Promise<Tasks["tasks"][number] | undefined> =>
    (await aws<Tasks>("describe-tasks", "--tasks", arn)).tasks[0];

  /** A web server in the zone of one of the machines, once it runs: its address. */
  async function runIn(zone: number, family = `zone-${zone}`): Promise<string> {
    const arn = await start(zone, {}, family);
    return until(`${arn} runs`, async () => {
      const task = await describeTask(arn);
      assert.notEqual(task?.lastStatus, "STOPPED", task?.stoppedReason);
      const address = task?.containers[0]?.networkInterfaces[0]?.privateIpv4Address;
      return task?.lastStatus === "RUNNING" && address;
    });
  }

  /** The exit code of a shell script that runs as such a task. */
  async function runScript(zone: number | "bridge", script: string): Promise<number | undefined> {
    const arn = await start(zone, { entryPoint: ["sh", "-c"], command: [script] }, "script");
    return until(`${arn} ends`, async () => {
      const task = await describeTask(arn);
      return task?.lastStatus === "STOPPED" && (task.containers[0]?.exitCode ?? -1);
    });
  }

  function fetchFrom({ enter }: Host, address: string): Promise<string> {
    const [program = "", ...words] = [...enter, "curl", "-s", "--max-time", "2"];
    return until(`${address} answers`, async () => {
      const { code, stdout } = await command(program, [...words, `http://${address}/`]);
      return code === 0 && stdout;
    });
  }

  test("a token comes from the server's machine, and must be whole", async () => {
    const { code, stderr } = await node.gantry("token");
    assert.equal(code, 1);
    assert.match(stderr, /no server runs on/);
    const again = await command(host(1).enter[0] ?? "", [
      ...host(1).enter.slice(1),
      "bin/gantry",
      "node",
      "--data-dir",
      `${node.directory}/other`,
      "--join",
      token.slice(0, 40),
    ]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /not a whole join token/);
    assert.ok(!again.stderr.includes(token.slice(0, 40)));
  });

  test("both machines are container instances, in their zones", async () => {
    interface Instances {
      containerInstances: { attributes: { name: string; value?: string }[] }[];
    }
    const { containerInstanceArns } = await aws<{ containerInstanceArns: string[] }>(
      "list-container-instances",
    );
    const { containerInstances } = await aws<Instances>(
      "describe-container-instances",
      "--container-instances",
      ...containerInstanceArns,
    );
    const zones = containerInstances.map(
      ({ attributes }) => attributes.find(({ name }) => name === "ecs.availability-zone")?.value,
    );
    assert.deepEqual(zones.sort(), ["us-east-1a", "us-east-1b"]);
  });

  test("a task lands on the machine of its zone and answers there", async () => {
    assert.match(await fetchFrom(host(1), await runIn(1)), /hello/i);
  });

  test("tasks of one VPC on both machines reach each other, and each machine reaches both", async () => {
    const addresses = [await runIn(0, "pair"), await runIn(1, "pair")];
    for (const zone of [0, 1])
      for (const address of addresses) assert.match(await fetchFrom(host(zone), address), /hello/i);
    for (const zone of [0, 1]) {
      const script = `timeout 5 wget -q -O - http://${addresses[1 - zone]}/ | grep -qi hello`;
      assert.equal(await runScript(zone, script), 0);
    }
    const both = addresses.map((address) => `timeout 5 wget -q -O - http://${address}/`);
    assert.equal(await runScript("bridge", both.join(" && ")), 0);
  });

  test("a machine that starts again needs no token, and has its tasks", async () => {
    await node.stop("SIGKILL");
    await node.startNode();
    const { taskArns } = await aws<{ taskArns: string[] }>("list-tasks", "--family", "zone-1");
    assert.equal(taskArns.length, 1);
    const { stdout } = await node.gantry("status");
    assert.match(stdout, /capacity of a server elsewhere/);
    const { code, stderr } = await node.gantry("down");
    assert.equal(code, 1);
    assert.match(stderr, /gantry node.*stop it first/);
  });
});
