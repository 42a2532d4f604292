/** Tier 5: the server towards the unmodified amazon-ecs-agent 1.105, as `ecs-agent-protocol` describes it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  DeregisterContainerInstanceCommand,
  DescribeContainerInstancesCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { settle } from "../../src/ecs/control/control.fixture.ts";
import type { TestDoor } from "../door-kit.ts";
import { agentDoor, EcsAgent } from "./ecs-agent-kit.ts";
import { type Lab, openLab, ROLE } from "./ecs-agent-lab.ts";

function textsOf(value: unknown): Readonly<Record<string, string>> {
  return (value ?? {}) as Readonly<Record<string, string>>;
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return (value ?? []) as readonly Readonly<Record<string, unknown>>[];
}

describe("the unmodified ECS agent", () => {
  let lab: Lab;
  let door: TestDoor;

  before(async () => {
    lab = await openLab();
    ({ door } = lab);
  });
  after(() => lab[Symbol.asyncDispose]());

  const tasksIn = (message: { readonly tasks?: unknown }): ReturnType<typeof listOf> =>
    listOf(message.tasks);

  test("registers with an empty identity document, and comes back under its ARN", async () => {
    const agent = new EcsAgent(agentDoor(door));
    const first = await agent.register();
    assert.match(agent.arn, /^arn:aws:ecs:us-east-1:0{12}:container-instance\/lab\/[0-9a-f]{32}$/);
    assert.equal((first.attributes as unknown[]).length, 52);
    const { arn } = agent;
    await agent.register();
    assert.equal(agent.arn, arn);
    await agent.connect({ sendCredentials: true });
    await settle();
    const { containerInstances } = await door.ecs.send(
      new DescribeContainerInstancesCommand({ cluster: "lab", containerInstances: [arn] }),
    );
    const [instance] = containerInstances ?? [];
    assert.equal(instance?.agentConnected, true);
    assert.deepEqual(instance?.versionInfo, {
      agentVersion: "1.105.1",
      agentHash: "a8b3e7d3",
      dockerVersion: "DockerVersion: 20.10.24+dfsg1",
    });
    await agent.disconnect();
    await door.ecs.send(
      new DeregisterContainerInstanceCommand({ cluster: "lab", containerInstance: arn }),
    );
    // The form that makes it rest for an hour.
    await assert.rejects(agent.connect({ sendCredentials: false }), {
      message: /^400 .*"type":"InactiveInstanceException"/,
    });
  });

  test("runs a bridge task: credentials, duplicate containers in one report, ports, the stop", async () => {
    await lab.withAgent({}, async (agent) => {
      const arn = await lab.run();
      const payload = await agent.frame("PayloadMessage");
      const [task, ...others] = tasksIn(payload);
      assert.deepEqual([task?.arn, others.length, task?.overrides], [arn, 0, "{}"]);
      const containers = listOf(task?.containers);
      for (const { dockerConfig, overrides } of containers) {
        const { hostConfig } = textsOf(dockerConfig);
        assert.equal(JSON.parse(hostConfig ?? "").NetworkMode, "bridge");
        assert.equal(overrides, "{}");
      }
      const web = containers.find(({ name }) => name === "web");
      assert.deepEqual(web?.portMappings, [
        { containerPort: 80, hostPort: 0, protocol: "tcp" },
        { containerPort: 81, hostPort: 18081, protocol: "udp" },
      ]);
      assert.equal(web?.healthCheckType, "docker");
      assert.deepEqual(web?.environment, { AWS_EXECUTION_ENV: "AWS_ECS_EXTERNAL", FOO: "bar" });
      const { credentialsId, expiration, roleArn } = textsOf(task?.roleCredentials);
      assert.equal(roleArn, ROLE);
      const { messageId } = payload;
      agent.say("IAMRoleCredentialsAckRequest", { credentialsId, expiration, messageId });
      agent.acknowledge(payload);

      await agent.submit(arn, {
        status: "PENDING",
        containers: [{ containerName: "web", status: "PENDING", imageDigest: "sha256:00" }],
        pullStartedAt: 1_795_376_253.949,
      });
      assert.equal((await lab.taskOf(arn)).lastStatus, "PENDING");
      await agent.submit(arn, {
        status: "RUNNING",
        containers: [
          { containerName: "init", runtimeId: "e42b", status: "RUNNING" },
          { containerName: "init", runtimeId: "e42b", status: "STOPPED", exitCode: 0 },
          {
            containerName: "web",
            runtimeId: "3a3f",
            status: "RUNNING",
            networkBindings: [
              { bindIP: "0.0.0.0", containerPort: 81, hostPort: 18081, protocol: "udp" },
              { bindIP: "0.0.0.0", containerPort: 80, hostPort: 32768, protocol: "tcp" },
            ],
          },
        ],
      });
      const running = await lab.taskOf(arn);
      assert.equal(running.lastStatus, "RUNNING");
      const shown = running.containers?.map((one) => [one.name, one.lastStatus, one.exitCode]);
      assert.deepEqual(shown, [
        ["init", "STOPPED", 0],
        ["web", "RUNNING", undefined],
      ]);
      assert.equal(running.containers?.[1]?.networkBindings?.[1]?.hostPort, 32768);
      assert.equal(running.containers?.[1]?.imageDigest, "sha256:00");

      await door.ecs.send(new StopTaskCommand({ cluster: "lab", task: arn }));
      const stop = await agent.frame("PayloadMessage", (message) =>
        tasksIn(message).some(({ desiredStatus }) => desiredStatus === "STOPPED"),
      );
      assert.ok(Number(stop.seqNum) > Number(payload.seqNum));
      agent.acknowledge(stop);
      await agent.submit(arn, {
        status: "STOPPED",
        containers: [{ containerName: "web", runtimeId: "3a3f", status: "STOPPED", exitCode: 137 }],
        executionStoppedAt: 1_795_376_314.39,
      });
      const stopped = await lab.taskOf(arn);
      assert.deepEqual(
        [stopped.lastStatus, stopped.stopCode, stopped.containers?.[1]?.exitCode],
        ["STOPPED", "UserInitiated", 137],
      );
    });
  });

  test("gets its credentials again after a restart, under the same id, and only the task that it has not heard of", async () => {
    await lab.withAgent({}, async (agent) => {
      const arn = await lab.run();
      const payload = await agent.frame("PayloadMessage");
      const { credentialsId } = textsOf(tasksIn(payload)[0]?.roleCredentials);
      await agent.submit(arn, {
        status: "RUNNING",
        containers: [{ containerName: "web", runtimeId: "r", status: "RUNNING" }],
      });
      const waiting = await lab.run({ taskDefinition: "plain" });
      const lost = await agent.frame("PayloadMessage");
      await agent.disconnect();
      await agent.register();
      await agent.connect({ sendCredentials: true });
      const renewed = await agent.frame("IAMRoleCredentialsMessage");
      assert.deepEqual(
        [renewed.taskArn, renewed.roleType, textsOf(renewed.roleCredentials).credentialsId],
        [arn, "TaskApplication", credentialsId],
      );
      const again = await agent.frame("PayloadMessage");
      assert.equal(tasksIn(again)[0]?.arn, waiting, "it was neither reported nor acknowledged");
      const manifest = await agent.frame("TaskManifestMessage");
      assert.ok(Number(manifest.timeline) > Number(lost.seqNum), "else it is discarded");
      assert.deepEqual(
        new Set(
          tasksIn(manifest).map(({ taskArn, desiredStatus }) => `${taskArn} ${desiredStatus}`),
        ),
        new Set([`${arn} RUNNING`, `${waiting} RUNNING`]),
      );
      const cluster = arn.replace(/:task\/lab\/.*$/, ":cluster/lab");
      const stranger = `${arn.slice(0, -4)}ffff`;
      const candidate = (taskArn: string): object => ({
        taskArn,
        taskClusterArn: cluster,
        desiredStatus: "STOPPED",
      });
      agent.acknowledge(manifest);
      agent.say("TaskStopVerificationMessage", {
        messageId: manifest.messageId,
        stopCandidates: [candidate(arn), candidate(stranger)],
      });
      const verified = await agent.frame("TaskStopVerificationAck");
      assert.equal(verified.messageId, manifest.messageId);
      assert.deepEqual(verified.stopTasks, [candidate(stranger)]);
    });
  });

  test("may refuse a task, which then has failed to start and is not sent again", async () => {
    await lab.withAgent({}, async (agent) => {
      const arn = await lab.run();
      const payload = await agent.frame("PayloadMessage");
      agent.say("NackRequest", {
        cluster: payload.clusterArn,
        containerInstance: payload.containerInstanceArn,
        messageId: payload.messageId,
        reason: "no",
      });
      const reason = "UnrecogniedTaskError: Error loading task - json: cannot unmarshal";
      await agent.submit(arn, { status: "STOPPED", reason, containers: [] });
      const { lastStatus, stopCode, stoppedReason } = await lab.taskOf(arn);
      assert.deepEqual(
        [lastStatus, stopCode, stoppedReason],
        ["STOPPED", "TaskFailedToStart", reason],
      );
      await agent.disconnect();
      await agent.connect({ sendCredentials: false });
      await agent.frame("TaskManifestMessage");
      assert.ok(agent.frames.every(({ type }) => type !== "PayloadMessage"));
      await assert.rejects(
        agent.submit(`${arn.slice(0, -4)}ffff`, { status: "STOPPED", containers: [] }),
        { name: "InvalidParameterException" },
      );
    });
  });

  test("may run what its machine has of an image that it cannot pull, and says both", async () => {
    await lab.withAgent({}, async (agent) => {
      const arn = await lab.run({ taskDefinition: "plain" });
      agent.acknowledge(await agent.frame("PayloadMessage"));
      // `agent/api/statechange.go`: the first error of a container is told with its end, whatever came after.
      const container = { containerName: "web", runtimeId: "3a3f", status: "STOPPED", exitCode: 3 };
      const reason = "CannotPullContainerError: connection refused";
      await agent.submit(arn, { status: "STOPPED", containers: [{ ...container, reason }] });
      const { containers, stopCode, stoppedReason } = await lab.taskOf(arn);
      assert.deepEqual([containers?.[0]?.exitCode, containers?.[0]?.reason], [3, reason]);
      assert.deepEqual(
        [stopCode, stoppedReason],
        ["EssentialContainerExited", "Essential container in task exited"],
      );
    });
  });

  test("gets the interface of an awsvpc task as the one object that works, and no ports", async () => {
    await lab.withAgent({ hasTaskEni: true }, async (agent) => {
      const arn = await lab.run({
        taskDefinition: "vpc",
        networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
      });
      const payload = await agent.frame("PayloadMessage");
      const [task] = tasksIn(payload);
      assert.equal(task?.networkMode, "awsvpc");
      const [container] = listOf(task?.containers);
      assert.deepEqual(container?.portMappings, []);
      const { hostConfig } = textsOf(container?.dockerConfig);
      assert.equal(JSON.parse(hostConfig ?? "").NetworkMode, "awsvpc");
      const { attachments } = await lab.taskOf(arn);
      const details = new Map(attachments?.[0]?.details?.map(({ name, value }) => [name, value]));
      const address = details.get("privateIPv4Address");
      assert.deepEqual(task?.elasticNetworkInterfaces, [
        {
          attachmentArn: `${arn.replace(/:task\/lab\/.*$/, ":attachment/lab")}/${attachments?.[0]?.id}`,
          ec2Id: details.get("networkInterfaceId"),
          macAddress: details.get("macAddress"),
          ipv4Addresses: [{ privateAddress: address, primary: true }],
          ipv6Addresses: [],
          subnetGatewayIpv4Address: "172.31.0.1/20",
          domainName: ["ec2.internal"],
          // At the VPC's own address nobody answers.
          domainNameServers: [],
          privateDnsName: `ip-${address?.replaceAll(".", "-")}.ec2.internal`,
        },
      ]);
      const attachment = { attachmentArn: attachments?.[0]?.id, status: "ATTACHED" };
      // Of a task's interface it says so with the task, without a status of that.
      await agent.call("SubmitTaskStateChange", {
        cluster: "lab",
        task: arn,
        attachments: [attachment],
      });
      assert.equal((await lab.taskOf(arn)).lastStatus, "PENDING");
      const answer = await agent.call("SubmitAttachmentStateChanges", {
        cluster: "lab",
        attachments: [attachment],
      });
      assert.ok(answer.acknowledgment);
    });
  });

  test("is served on TCS, whose frames begin with a signature", async () => {
    await lab.withAgent({}, async (agent) => {
      const arn = await lab.run();
      agent.acknowledge(await agent.frame("PayloadMessage"));
      await agent.submit(arn, {
        status: "RUNNING",
        containers: [{ containerName: "web", runtimeId: "3a3f", status: "RUNNING" }],
      });
      const telemetry = await agent.connectTcs();
      const metadata = { cluster: "lab", containerInstance: agent.arn, messageId: "m", fin: true };
      const timestamp = 1_795_376_253.9;
      const task = { taskArn: arn, taskDefinitionFamily: "web", taskDefinitionVersion: "1" };
      const gauge = { min: 0.25, max: 1.5, sampleCount: 20, sum: 12.5 };
      const counter = { ...gauge, min: 0, overflowMin: 0, overflowMax: 0, overflowSum: 0 };
      assert.equal(
        await telemetry.publish("PublishMetricsRequest", {
          metadata: { ...metadata, idle: false },
          timestamp,
          instanceMetrics: { storage: { rootFilesystem: 41.2, dataFilesystem: 41.2 } },
          taskMetrics: [
            {
              ...task,
              containerMetrics: [
                {
                  containerName: "web",
                  cpuStatsSet: gauge,
                  memoryStatsSet: gauge,
                  networkStatsSet: {
                    ...{ rxBytes: counter, rxDropped: counter, rxErrors: counter },
                    ...{ rxPackets: counter, txBytes: counter, txDropped: counter },
                    ...{ txErrors: counter, txPackets: counter },
                    ...{ rxBytesPerSecond: gauge, txBytesPerSecond: gauge },
                  },
                  storageStatsSet: { readSizeBytes: counter, writeSizeBytes: counter },
                  restartStatsSet: { restartCount: 0 },
                },
              ],
            },
          ],
        }),
        "AckPublishMetric",
      );
      const container = { containerName: "web", healthStatus: "HEALTHY", statusSince: timestamp };
      assert.equal(
        await telemetry.publish("PublishHealthRequest", {
          metadata,
          timestamp,
          tasks: [{ ...task, containers: [container] }],
        }),
        "AckPublishHealth",
      );
      const status = { status: "OK", lastUpdated: timestamp, lastStatusChange: timestamp };
      assert.equal(
        await telemetry.publish("PublishInstanceStatusRequest", {
          metadata: { cluster: "lab", containerInstance: agent.arn, requestId: "r" },
          timestamp,
          statuses: [{ type: "ContainerRuntime", ...status }],
        }),
        "AckPublishInstanceStatus",
      );
      telemetry.close();
    });
  });
});
