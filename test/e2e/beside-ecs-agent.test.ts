/**
 * A machine whose tasks an amazon-ecs-agent runs: `gantry node --agent amazon-ecs-agent` makes the network and the metadata. The
 * agent is played, with the variables that it is given; the interface it takes is a real one.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CreateClusterCommand,
  DescribeContainerInstancesCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateUserCommand,
} from "@aws-sdk/client-iam";
import type { Credentials } from "../../src/lib/sigv4.ts";
import type { ElasticNetworkInterface } from "../../src/protocol/acs.ts";
import { type AgentDoor, EcsAgent } from "../conformance/ecs-agent-kit.ts";
import { command, GantryKit, skipReason, until } from "./gantry-kit.ts";
import { addInterface } from "./vpc-eni.ts";

const skip = await skipReason();

describe("a machine beside an ECS agent", { skip, concurrency: false }, () => {
  const stack = new AsyncDisposableStack();
  let server: GantryKit;
  let node: GantryKit;
  let environment: Record<string, string>;
  let agent: EcsAgent;

  before(async () => {
    server = stack.use(new GantryKit());
    node = stack.use(new GantryKit());
    await server.startServer();
    const token = (await server.gantry("token")).stdout.trim();
    await node.startNode("--join", token, "--agent", "amazon-ecs-agent");
    const lines = readFileSync(join(node.directory, "ecs-agent.env"), "utf8").trim().split("\n");
    environment = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  });
  after(() => stack.disposeAsync());

  function doorFor(credentials: Credentials): AgentDoor {
    return { url: environment.ECS_BACKEND_HOST ?? "", credentials };
  }

  /** What the agent's SDK does. */
  async function metadata(path: string): Promise<string> {
    const origin = environment.AWS_EC2_METADATA_SERVICE_ENDPOINT;
    const token = await fetch(`${origin}/latest/api/token`, {
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "300" },
    });
    const headers = { "x-aws-ec2-metadata-token": await token.text() };
    const answer = await fetch(`${origin}/latest/${path}`, { headers });
    assert.equal(answer.status, 200, path);
    return answer.text();
  }

  test("gives the agent what it starts with: server, cluster, VPC, identity and keys", async () => {
    assert.deepEqual(
      [environment.ECS_BACKEND_HOST, environment.ECS_CLUSTER, environment.AWS_DEFAULT_REGION],
      [server.client.endpoint, "default", server.client.region],
    );
    const mac = await metadata("meta-data/mac");
    const subnetId = await metadata(`meta-data/network/interfaces/macs/${mac}/subnet-id`);
    assert.ok(server.client.subnetIds.includes(subnetId));
    const role = await metadata("meta-data/iam/security-credentials/");
    const keys = JSON.parse(await metadata(`meta-data/iam/security-credentials/${role}`));
    assert.ok(Date.parse(keys.Expiration) > Date.now());
    const credentials = { accessKeyId: keys.AccessKeyId, secretAccessKey: keys.SecretAccessKey };
    const identityDocument = await metadata("dynamic/instance-identity/document");
    const cluster = environment.ECS_CLUSTER ?? "";
    const options = { hasTaskEni: true, cluster, identityDocument };
    agent = new EcsAgent(doorFor(credentials), options);
    await agent.register().catch(async () => {
      await agent.call("CreateCluster", { clusterName: "default" });
      await agent.register();
    });
    await agent.connect({ sendCredentials: true });
    const { containerInstances } = await server.ecs.send(
      new DescribeContainerInstancesCommand({ containerInstances: [agent.arn] }),
    );
    const { instanceId } = JSON.parse(identityDocument);
    assert.equal(containerInstances?.[0]?.ec2InstanceId, instanceId);
  });

  test("an agent without metadata works under the key of a user with AWS's own policy for it", async () => {
    const UserName = "agents";
    await server.iam.send(new CreateUserCommand({ UserName }));
    await server.iam.send(
      new AttachUserPolicyCommand({
        UserName,
        PolicyArn: "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
      }),
    );
    const { AccessKey } = await server.iam.send(new CreateAccessKeyCommand({ UserName }));
    const { AccessKeyId: accessKeyId = "", SecretAccessKey: secretAccessKey = "" } =
      AccessKey ?? {};
    await server.ecs.send(new CreateClusterCommand({ clusterName: "machines" }));
    const door = doorFor({ accessKeyId, secretAccessKey });
    const external = new EcsAgent(door, { cluster: "machines" });
    await external.register();
    await external.connect({ sendCredentials: true });
    await server.ecs.send(
      new RegisterTaskDefinitionCommand({
        family: "host",
        networkMode: "host",
        containerDefinitions: [{ name: "web", image: "busybox", memory: 64 }],
      }),
    );
    const { tasks } = await server.ecs.send(
      new RunTaskCommand({ cluster: "machines", taskDefinition: "host" }),
    );
    const arn = tasks?.[0]?.taskArn ?? "";
    external.acknowledge(await external.frame("PayloadMessage"));
    await external.submit(arn, {
      status: "RUNNING",
      containers: [{ containerName: "web", runtimeId: "r", status: "RUNNING" }],
    });
    await server.taskIs("machines", arn, "RUNNING");
    await external.disconnect();
  });

  test("the interface of an awsvpc task stands on the machine, works where the agent moves it, and goes with the task", async () => {
    await server.ecs.send(
      new RegisterTaskDefinitionCommand({
        family: "web",
        networkMode: "awsvpc",
        containerDefinitions: [{ name: "web", image: "busybox", memory: 64 }],
      }),
    );
    const [subnet = ""] = server.client.subnetIds;
    const { tasks, failures } = await server.ecs.send(
      new RunTaskCommand({
        taskDefinition: "web",
        networkConfiguration: { awsvpcConfiguration: { subnets: [subnet] } },
      }),
    );
    assert.deepEqual(failures, []);
    const arn = tasks?.[0]?.taskArn ?? "";
    const payload = await agent.frame("PayloadMessage");
    agent.acknowledge(payload);
    const [task] = payload.tasks as { elasticNetworkInterfaces: ElasticNetworkInterface[] }[];
    const eni = task?.elasticNetworkInterfaces[0];
    assert.ok(eni);
    await using pause = await takeInterface(eni);
    await agent.submit(arn, {
      status: "RUNNING",
      containers: [{ containerName: "web", runtimeId: "r", status: "RUNNING" }],
    });
    await server.taskIs("default", arn, "RUNNING");
    const { code, stdout } = await command("curl", ["-s", "-m", "5", `http://${pause.address}/`]);
    assert.deepEqual([code, stdout], [0, "hello"]);
    await server.ecs.send(new StopTaskCommand({ task: arn }));
    agent.acknowledge(
      await agent.frame("PayloadMessage", ({ messageId }) => messageId !== payload.messageId),
    );
    await agent.submit(arn, {
      status: "STOPPED",
      containers: [{ containerName: "web", runtimeId: "r", status: "STOPPED", exitCode: 0 }],
    });
    await server.taskIs("default", arn, "STOPPED");
    await until("the interface is gone", async () => {
      const { stdout: links } = await command("ip", ["-n", pause.name, "-o", "link"]);
      return !links.includes(eni.macAddress);
    });
    await agent.disconnect();
  });
});

interface Pause extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
}

/** What the agent's vpc-eni plugin does, and a web server in the namespace. */
async function takeInterface(eni: ElasticNetworkInterface): Promise<Pause> {
  await until("the interface stands", async () => {
    const { stdout } = await command("ip", ["-o", "link"]);
    return stdout.includes(eni.macAddress);
  });
  const name = `pause-${process.pid}`;
  const { code, stderr } = await command("ip", ["netns", "add", name]);
  assert.equal(code, 0, stderr);
  await addInterface(eni, `/run/netns/${name}`);
  const server = await serve(name);
  return {
    name,
    address: eni.ipv4Addresses[0]?.privateAddress ?? "",
    [Symbol.asyncDispose]: async () => {
      server.kill();
      await once(server, "exit");
      await command("ip", ["netns", "del", name]);
    },
  };
}

async function serve(namespace: string): Promise<ChildProcess> {
  const script = `require("http").createServer((_, r) => r.end("hello")).listen(80, () => console.log("ready"))`;
  const words = [`--net=/run/netns/${namespace}`, process.execPath, "-e", script];
  const child = spawn("nsenter", words, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}
