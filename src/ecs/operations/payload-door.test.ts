/** What an agent is told that is not Gantry's own: AWS's would send what it starts to AWS. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerDefinition } from "@aws-sdk/client-ecs";
import type { PayloadContainer } from "../../protocol/acs.ts";
import { buildContainer, buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import { toPayloadTask } from "./payload.ts";

const DOOR = "https://gantry.example:4566";
const LOOPBACK = "http://127.0.0.1:4566";
const LOGS = { logDriver: "awslogs", options: { "awslogs-group": "/g" } } as const;

function told(
  door: string,
  container: ContainerDefinition = {},
  task: Partial<Task> = {},
): PayloadContainer {
  const [payload] = toPayloadTask({
    task: buildTask({ containers: [buildContainer()], ...task }),
    definition: {
      accountId: "111111111111",
      region: "us-east-1",
      family: "hello",
      revision: 1,
      status: "ACTIVE",
      document: {
        family: "hello",
        containerDefinitions: [
          { name: "web", image: "hello", logConfiguration: LOGS, ...container },
        ],
      },
      registeredAt: 1,
      registeredBy: "arn:aws:iam::111111111111:root",
      tags: [],
    },
    door,
  }).containers;
  return payload ?? assert.fail();
}

function endpointsIn({ dockerConfig, environment }: PayloadContainer): unknown {
  const { LogConfig } = JSON.parse(dockerConfig.hostConfig);
  return [environment.AWS_ENDPOINT_URL, LogConfig.Config["awslogs-endpoint"]];
}

test("its tasks and Docker's log driver find the AWS endpoint, unless the definition names another", () => {
  assert.deepEqual(endpointsIn(told(DOOR)), [DOOR, DOOR]);
  const own = told(DOOR, {
    environment: [{ name: "AWS_ENDPOINT_URL", value: "http://own" }],
    logConfiguration: { ...LOGS, options: { ...LOGS.options, "awslogs-endpoint": "http://logs" } },
  });
  assert.deepEqual(endpointsIn(own), ["http://own", "http://logs"]);
});

test("Docker's log driver has ECS's buffer, ten times its own, where it does not block", () => {
  const bufferOf = (options: Record<string, string>): unknown => {
    const logConfiguration = { ...LOGS, options: { ...LOGS.options, ...options } };
    const { dockerConfig } = told(DOOR, { logConfiguration });
    return JSON.parse(dockerConfig.hostConfig).LogConfig.Config["max-buffer-size"];
  };
  assert.equal(bufferOf({ mode: "non-blocking" }), "10m");
  assert.equal(bufferOf({ mode: "non-blocking", "max-buffer-size": "4m" }), "4m");
  assert.equal(bufferOf({ mode: "blocking" }), undefined);
});

test("the machine's loopback is Docker's, and a container's only in the machine's network", () => {
  const of = (networkMode: Task["networkMode"]): unknown =>
    endpointsIn(told(LOOPBACK, {}, { networkMode }));
  assert.deepEqual(of("bridge"), [undefined, LOOPBACK]);
  assert.deepEqual(of("host"), [LOOPBACK, LOOPBACK]);
});

test("it asks Gantry for ECR's logins", () => {
  const image = "111111111111.dkr.ecr.us-east-1.amazonaws.com/web:1";
  assert.deepEqual(told(DOOR, { image }).registryAuthentication, {
    type: "ecr",
    ecrAuthData: {
      registryId: "111111111111",
      region: "us-east-1",
      useExecutionRole: false,
      endpointOverride: DOOR,
    },
  });
});
