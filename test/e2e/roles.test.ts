/** A task in a role: it reads its credentials, may do what the role allows and nothing else, and loses them with its end. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  CreateClusterCommand,
  ECSClient,
  ListClustersCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { GantryKit, skipReason, until } from "./gantry-kit.ts";
import { buildHelloImage } from "./images.ts";

const skip = await skipReason();

interface TaskCredentials {
  readonly RoleArn: string;
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly Token: string;
}

describe("a task's role", { skip }, () => {
  const gantry = new GantryKit();
  before(async () => {
    await gantry.start();
    const image = await buildHelloImage();
    await gantry.loadImage(image);
    rmSync(image);
  });
  after(() => gantry[Symbol.asyncDispose]());

  test("gives it credentials for one thing and not for another, until it ends", async () => {
    const executionRoleArn = await gantry.createTaskRole("execution", {
      Effect: "Allow",
      Action: "logs:CreateLogGroup",
      Resource: "*",
    });
    const taskRoleArn = await gantry.createTaskRole("application", {
      Effect: "Allow",
      Action: "ecs:ListClusters",
      Resource: "*",
    });
    await gantry.ecs.send(
      new RegisterTaskDefinitionCommand({
        family: "in-role",
        networkMode: "awsvpc",
        requiresCompatibilities: ["FARGATE"],
        cpu: "256",
        memory: "512",
        executionRoleArn,
        taskRoleArn,
        containerDefinitions: [
          {
            name: "web",
            image: "hello:latest",
            entryPoint: ["sh", "-c"],
            command: [
              'wget -q -O - "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"; echo; exec sleep 3600',
            ],
            stopTimeout: 2,
            logConfiguration: {
              logDriver: "awslogs",
              options: {
                "awslogs-group": "/e2e/roles",
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "roles",
                "awslogs-create-group": "true",
              },
            },
          },
        ],
      }),
    );
    const subnets = [...gantry.client.subnetIds];
    const { tasks } = await gantry.ecs.send(
      new RunTaskCommand({
        taskDefinition: "in-role",
        launchType: "FARGATE",
        networkConfiguration: { awsvpcConfiguration: { subnets } },
      }),
    );
    const arn = tasks?.[0]?.taskArn ?? "";
    await gantry.taskIs("default", arn, "RUNNING");
    const id = arn.split("/").at(-1) ?? "";
    const credentials = await until("the task has its credentials", () => read(gantry, id));
    assert.equal(credentials.RoleArn, taskRoleArn);
    const { endpoint, region } = gantry.client;
    const client = {
      endpoint,
      region,
      maxAttempts: 1,
      credentials: {
        accessKeyId: credentials.AccessKeyId,
        secretAccessKey: credentials.SecretAccessKey,
        sessionToken: credentials.Token,
      },
    };
    const ecs = new ECSClient(client);
    const sts = new STSClient(client);
    try {
      const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
      assert.equal(Arn, `arn:aws:sts::000000000000:assumed-role/application/${id}`);
      await ecs.send(new ListClustersCommand({}));
      await assert.rejects(ecs.send(new CreateClusterCommand({ clusterName: "mine" })), {
        name: "AccessDeniedException",
        message: new RegExp(`^User: ${Arn} is not authorized to perform: ecs:CreateCluster`),
      });
      await gantry.ecs.send(new StopTaskCommand({ task: arn }));
      await gantry.taskIs("default", arn, "STOPPED");
      await assert.rejects(ecs.send(new ListClustersCommand({})), {
        name: "ExpiredTokenException",
      });
    } finally {
      ecs.destroy();
      sts.destroy();
    }
  });
});

/** What the container has printed, once it has. */
async function read(gantry: GantryKit, id: string): Promise<TaskCredentials | undefined> {
  try {
    const { events = [] } = await gantry.logs.send(
      new GetLogEventsCommand({
        logGroupName: "/e2e/roles",
        logStreamName: `roles/web/${id}`,
        startFromHead: true,
      }),
    );
    const line = events.find(({ message = "" }) => message.includes("AccessKeyId"))?.message;
    return line === undefined ? undefined : (JSON.parse(line) as TaskCredentials);
  } catch (error) {
    if (error instanceof Error && error.name === "ResourceNotFoundException") return undefined;
    throw error;
  }
}
