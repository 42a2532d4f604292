/**
 * A machine with Docker and an ECS agent, and Gantry's server on it: bridge, host and awsvpc tasks in real containers.
 * The agent is played; where GANTRY_ECS_AGENT names the unmodified amazon-ecs-agent, that one does the same (docs/ecs-agent.md).
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CreateLogGroupCommand, GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  CreateClusterCommand,
  DescribeContainerInstancesCommand,
  ListContainerInstancesCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs";
import { findExecutable } from "../../src/runtime/executables.ts";
import { DockerDaemon } from "./docker-daemon.ts";
import { AgentProcess, agentPrograms } from "./ecs-agent-process.ts";
import { assertTaken, type DockerContainer, MANY_SETTINGS } from "./ecs-agent-settings.ts";
import { command, GantryKit, skipReason, until } from "./gantry-kit.ts";
import { type Host, joinWire, OWN_ADDRESS, openHosts } from "./hosts.ts";
import { buildHelloImage } from "./images.ts";

const CLUSTER = "machines";
const GROUP = "/e2e/ecs-agent";
/** The agent tells of health every 20 s. */
const HEALTH_MS_MAX = 90_000;

/** docs/ecs-agent.md: how tasks, and Docker's log driver, find 169.254.170.2, and what lets a VPC through Docker's firewall. */
const RULES = [
  "sysctl -qw net.ipv4.conf.all.route_localnet=1",
  "iptables -t nat -A PREROUTING -p tcp -d 169.254.170.2 --dport 80 -j DNAT --to-destination 127.0.0.1:51679",
  "iptables -t nat -A OUTPUT -p tcp -d 169.254.170.2 --dport 80 -j REDIRECT --to-ports 51679",
  "iptables -I DOCKER-USER -i g+ -j ACCEPT",
  "iptables -I DOCKER-USER -o g+ -j ACCEPT",
];

const hasDocker = (await findExecutable("dockerd")) !== undefined;
const unfit = (await skipReason()) || (hasDocker ? false : "no dockerd (Debian's is in docker.io)");

for (const program of agentPrograms()) {
  describe(program.name, { skip: unfit || program.skip, concurrency: false }, () => {
    const stack = new AsyncDisposableStack();
    let server: GantryKit;
    let machine: Host;
    let docker: DockerDaemon;
    let agent: AgentProcess;
    let instanceArn: string;
    let executionRoleArn: string;
    const running = new Map<string, string>();

    before(async () => {
      const wire = stack.use(await openHosts(1));
      await joinWire(wire);
      machine = wire.hosts[0] as Host;
      const archive = await buildHelloImage("docker");
      stack.defer(() => rmSync(archive, { force: true }));
      server = stack.use(new GantryKit(undefined, machine.enter, machine.address));
      const node = stack.use(new GantryKit(undefined, machine.enter));
      await server.startServer("--listen", "0.0.0.0:0");
      await server.ecs.send(new CreateClusterCommand({ clusterName: CLUSTER }));
      await server.logs.send(new CreateLogGroupCommand({ logGroupName: GROUP }));
      executionRoleArn = await server.createTaskRole("execution");
      await enter(`ip route add default via ${OWN_ADDRESS}`);
      const token = (await server.gantry("token")).stdout.trim();
      const beside = ["--agent", "amazon-ecs-agent", "--cluster", CLUSTER];
      await node.startNode("--join", token, ...beside);
      docker = stack.use(await DockerDaemon.start(machine.name));
      await docker.client.load(archive);
      for (const rule of RULES) await enter(rule);
      const environmentFile = join(node.directory, "ecs-agent.env");
      const place = { enter: machine.enter, dockerSocket: docker.socketPath, environmentFile };
      agent = stack.use(new AgentProcess(program, place));
      stack.defer(removeContainers);
    });
    after(() => stack.disposeAsync());

    async function enter(line: string): Promise<string> {
      const [first = "", ...rest] = [...machine.enter, ...line.split(" ")];
      const { code, stderr, stdout } = await command(first, rest);
      assert.equal(code, 0, `${line}: ${stderr}`);
      return stdout;
    }

    /** Docker leaves its shims running when it ends. */
    async function removeContainers(): Promise<void> {
      const all = await docker.client.call<{ Id: string }[]>("GET", "/containers/json?all=1");
      for (const { Id } of all) await docker.client.call("DELETE", `/containers/${Id}?force=1`);
    }

    const fetchFrom = (host: string): Promise<string> =>
      until(`${host} answers`, async () => {
        const [first = "", ...rest] = [
          ...machine.enter,
          "curl",
          "-s",
          "-m",
          "2",
          `http://${host}/`,
        ];
        const { code, stdout } = await command(first, rest);
        return code === 0 && stdout;
      });

    async function run(
      definition: Omit<RegisterTaskDefinitionCommandInput, "family">,
      family: string = definition.networkMode ?? "bridge",
    ): Promise<Task> {
      await server.ecs.send(new RegisterTaskDefinitionCommand({ ...definition, family }));
      const isAwsvpc = family === "awsvpc";
      const { tasks, failures } = await server.ecs.send(
        new RunTaskCommand({
          cluster: CLUSTER,
          taskDefinition: family,
          ...(isAwsvpc && {
            networkConfiguration: {
              awsvpcConfiguration: { subnets: [server.client.subnetIds[0] ?? ""] },
            },
          }),
        }),
      );
      assert.deepEqual(failures, []);
      const arn = tasks?.[0]?.taskArn ?? "";
      running.set(family, arn);
      try {
        return await server.taskIs(CLUSTER, arn, "RUNNING");
      } catch (error) {
        throw new Error(`${String(error)}\n${agent.log.split("\n").slice(-40).join("\n")}`);
      }
    }

    const isConnected = async (): Promise<string | false> => {
      assert.equal(agent.exitCode, undefined, agent.log);
      const { containerInstanceArns: arns = [] } = await server.ecs.send(
        new ListContainerInstancesCommand({ cluster: CLUSTER }),
      );
      if (arns.length === 0) return false;
      const { containerInstances } = await server.ecs.send(
        new DescribeContainerInstancesCommand({ cluster: CLUSTER, containerInstances: arns }),
      );
      const [instance] = containerInstances ?? [];
      return instance?.agentConnected === true && (instance.containerInstanceArn ?? false);
    };

    test("registers, by what it is told of its machine", async () => {
      agent.start();
      instanceArn = await until("the agent is connected", isConnected, 90_000);
    });

    test("runs a bridge task: its ports, its health, its output in the log group", async () => {
      const task = await run({
        executionRoleArn,
        volumes: [{ name: "scratch" }, { name: "cache", dockerVolumeConfiguration: {} }],
        containerDefinitions: [
          {
            name: "init",
            image: "hello:latest",
            essential: false,
            memory: 32,
            command: ["echo ready > /scratch/state"],
            mountPoints: [{ sourceVolume: "scratch", containerPath: "/scratch" }],
          },
          {
            name: "web",
            image: "hello:latest",
            memory: 64,
            cpu: 64,
            stopTimeout: 5,
            portMappings: [{ containerPort: 80 }],
            dependsOn: [{ containerName: "init", condition: "SUCCESS" }],
            mountPoints: [
              { sourceVolume: "scratch", containerPath: "/scratch", readOnly: true },
              { sourceVolume: "cache", containerPath: "/cache" },
            ],
            healthCheck: { command: ["CMD-SHELL", "grep ready /scratch/state"], interval: 5 },
            ulimits: [{ name: "nofile", softLimit: 512, hardLimit: 1024 }],
            linuxParameters: { initProcessEnabled: true, capabilities: { drop: ["MKNOD"] } },
            logConfiguration: {
              logDriver: "awslogs",
              options: {
                "awslogs-group": GROUP,
                "awslogs-region": server.client.region,
                "awslogs-stream-prefix": "web",
              },
            },
          },
        ],
      });
      const web = task.containers?.find(({ name }) => name === "web");
      const [binding, ...others] = web?.networkBindings ?? [];
      assert.deepEqual([binding?.containerPort, others.length], [80, 0]);
      assert.match(await fetchFrom(`${machine.address}:${binding?.hostPort}`), /Hello from Gantry/);
      const id = task.taskArn?.split("/").at(-1);
      const logStreamName = `web/web/${id}`;
      await until("its output is in the log group", async () => {
        const input = { logGroupName: GROUP, logStreamName, startFromHead: true };
        const found = await server.logs.send(new GetLogEventsCommand(input)).catch(() => undefined);
        return found?.events?.some(({ message }) => message?.includes("listening on port 80"));
      });
      const isHealthy = async (): Promise<boolean> =>
        (await server.taskIs(CLUSTER, task.taskArn, "RUNNING")).healthStatus === "HEALTHY";
      await until("it is healthy", isHealthy, HEALTH_MS_MAX);
    });

    test("runs a task on the machine's network", async () => {
      await run({
        networkMode: "host",
        containerDefinitions: [
          {
            name: "web",
            image: "hello:latest",
            memory: 64,
            stopTimeout: 2,
            command: ["exec httpd -f -p 18081 -h /www"],
            portMappings: [{ containerPort: 18_081 }],
          },
        ],
      });
      assert.match(await fetchFrom("127.0.0.1:18081"), /Hello from Gantry/);
    });

    test("makes a container with all that its definition says", async () => {
      const definition = {
        containerDefinitions: [
          MANY_SETTINGS,
          { name: "log", image: "hello:latest", memory: 32, essential: false },
        ],
      };
      const { containers = [] } = await run(definition, "settings");
      const web = containers.find(({ name }) => name === "web");
      const path = `/containers/${web?.runtimeId}/json`;
      assertTaken(await docker.client.call<DockerContainer>("GET", path));
    });

    test("runs an awsvpc task at its own address", { skip: program.skipAwsvpc }, async () => {
      const task = await run({
        networkMode: "awsvpc",
        containerDefinitions: [
          { name: "web", image: "hello:latest", memory: 64, portMappings: [{ containerPort: 80 }] },
        ],
      });
      const details = task.attachments?.[0]?.details ?? [];
      const address = details.find(({ name }) => name === "privateIPv4Address")?.value ?? "";
      assert.match(await fetchFrom(address), /Hello from Gantry/);
    });

    test("comes back after kill -9 as the same instance, with the same containers", async () => {
      const before = await docker.client.call<{ Id: string }[]>("GET", "/containers/json");
      await agent.kill();
      await until("the server notices", async () => (await isConnected()) === false);
      agent.start();
      assert.equal(await until("the agent is back", isConnected, 90_000), instanceArn);
      for (const arn of running.values()) await server.taskIs(CLUSTER, arn, "RUNNING");
      const after = await docker.client.call<{ Id: string }[]>("GET", "/containers/json");
      const idsOf = (list: { Id: string }[]): string[] => list.map(({ Id }) => Id).sort();
      assert.deepEqual(idsOf(after), idsOf(before));
    });

    test("stops its tasks, and nothing of their network is left", async () => {
      for (const [mode, arn] of running) {
        await server.ecs.send(new StopTaskCommand({ cluster: CLUSTER, task: arn }));
        const stopped = await server.taskIs(CLUSTER, arn, "STOPPED");
        assert.equal(stopped.stopCode, "UserInitiated", mode);
        assert.notEqual(stopped.containers?.at(-1)?.exitCode, undefined, mode);
        const mac = stopped.attachments?.[0]?.details?.find(({ name }) => name === "macAddress");
        // The plugin gives the interface back to the namespace of process 1.
        await until("its interface is gone", async () => {
          const { stdout } = await command("nsenter", ["-t", "1", "-n", "ip", "-o", "link"]);
          return (
            mac === undefined || !`${stdout}${await enter("ip -o link")}`.includes(mac.value ?? "")
          );
        });
      }
      assert.deepEqual(await docker.client.call("GET", "/containers/json"), []);
    });
  });
}
