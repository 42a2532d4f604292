/** What the SDK makes of the door's errors: its own classes, its own retries. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  CloudWatchLogsClient,
  DescribeLogGroupsCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-cloudwatch-logs";
import {
  ClusterNotFoundException,
  ConflictException,
  DescribeClustersCommand,
  ECSClient,
  ECSServiceException,
  InvalidParameterException,
  ListClustersCommand,
  RunTaskCommand,
  ServerException,
} from "@aws-sdk/client-ecs";
import type { Operations, Service } from "../../src/door/service.ts";
import { ApiError } from "../../src/lib/errors.ts";
import { REGION, ROOT_KEY, startDoor } from "../door-kit.ts";

/** ECS and Logs, in which the first operation of each fails with `error`. */
function failing(error: () => Error): Service[] {
  const handle = async () => {
    throw error();
  };
  const row = { support: "full", action: "a:B", resources: () => ["*"], handle } as const;
  const ecs: Operations<typeof import("@aws-sdk/client-ecs")> = { ListClusters: row, RunTask: row };
  const logs: Operations<typeof import("@aws-sdk/client-cloudwatch-logs")> = {
    DescribeLogGroups: row,
  };
  return [
    { name: "ecs", operations: ecs },
    { name: "logs", operations: logs },
  ];
}

describe("the SDK sees", () => {
  test("a service's exception as its own class, with its members", async () => {
    const services = failing(
      () => new ApiError("ConflictException", "in use", { members: { resourceIds: ["a", "b"] } }),
    );
    await using door = await startDoor({ services });
    await assert.rejects(door.ecs.send(new ListClustersCommand({})), (error) => {
      assert.ok(error instanceof ConflictException);
      assert.equal(error.message, "in use");
      assert.deepEqual(error.resourceIds, ["a", "b"]);
      assert.equal(error.$metadata.httpStatusCode, 400);
      assert.ok(error.$metadata.requestId);
      return true;
    });
  });

  test("ClusterNotFoundException and Logs' ResourceNotFoundException", async () => {
    const cluster = failing(() => new ApiError("ClusterNotFoundException", "Cluster not found."));
    await using ecs = await startDoor({ services: cluster });
    await assert.rejects(ecs.ecs.send(new ListClustersCommand({})), ClusterNotFoundException);
    const group = failing(() => new ApiError("ResourceNotFoundException", "no such group"));
    await using logs = await startDoor({ services: group });
    await assert.rejects(
      logs.logs.send(new DescribeLogGroupsCommand({})),
      ResourceNotFoundException,
    );
  });

  test("ServerException for what nobody expected", async () => {
    await using door = await startDoor({ services: failing(() => new Error("swordfish")) });
    await assert.rejects(door.ecs.send(new ListClustersCommand({})), (error) => {
      assert.ok(error instanceof ServerException);
      assert.doesNotMatch(error.message, /swordfish/);
      return true;
    });
  });

  test("InvalidParameterException for a missing member", async () => {
    await using door = await startDoor({ services: failing(() => assert.fail()) });
    const command = new RunTaskCommand({ taskDefinition: undefined });
    await assert.rejects(door.ecs.send(command), InvalidParameterException);
  });

  test("NotImplemented once: it does not try again", async () => {
    await using door = await startDoor({ services: failing(() => assert.fail()) });
    const client = new ECSClient({ endpoint: door.url, region: REGION, credentials: ROOT_KEY });
    await assert.rejects(client.send(new DescribeClustersCommand({})), (error) => {
      assert.ok(error instanceof ECSServiceException);
      assert.equal(error.name, "NotImplemented");
      assert.equal(
        error.message,
        "Gantry does not implement ecs:DescribeClusters yet. docs/compatibility.md lists what it does.",
      );
      assert.equal(error.$metadata.httpStatusCode, 501);
      assert.equal(error.$metadata.attempts, 1);
      return true;
    });
    client.destroy();
  });

  test("an unknown key as such", async () => {
    await using door = await startDoor({ services: failing(() => assert.fail()) });
    const credentials = { ...ROOT_KEY, accessKeyId: "AKIAOTHER" };
    const client = new ECSClient({ endpoint: door.url, region: REGION, credentials });
    await assert.rejects(client.send(new ListClustersCommand({})), {
      name: "UnrecognizedClientException",
    });
    client.destroy();
  });

  test("that its clock is an hour off, and corrects it", async () => {
    const services = failing(() => new ApiError("ResourceNotFoundException", "came through"));
    await using door = await startDoor({ services });
    const client = new CloudWatchLogsClient({
      endpoint: door.url,
      region: REGION,
      credentials: ROOT_KEY,
      systemClockOffset: -3_600_000,
    });
    await assert.rejects(client.send(new DescribeLogGroupsCommand({})), (error) => {
      assert.ok(error instanceof ResourceNotFoundException);
      assert.equal(error.$metadata.attempts, 2);
      return true;
    });
    client.destroy();
  });
});
