import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TELEMETRY_MESSAGE_BYTES_MAX } from "../../protocol/tcs.ts";
import { newRecord, type TaskRecord } from "../task-record.ts";
import { payloadContainer, payloadTask } from "../testing/rig.fixture.ts";
import { healthMessages, metricsMessages } from "./messages.ts";

const PUBLISHER = { cluster: "default", containerInstance: "arn:i", messageId: "m", now: 1000 };

function record(id: number, outputLength: number): TaskRecord {
  const fresh = newRecord(payloadTask(`t${id}`, { containers: [payloadContainer("web")] }));
  const health = { status: "HEALTHY" as const, since: 500, output: "é".repeat(outputLength) };
  return { ...fresh, containers: [{ name: "web", status: "RUNNING", health }] };
}

test("whatever there is to publish goes once, in messages of the protocol's size, the last one marked", () => {
  const lengths = fc.array(fc.oneof(fc.constant(10), fc.integer({ min: 0, max: 300_000 })), {
    maxLength: 45,
  });
  fc.assert(
    fc.property(lengths, (outputLengths) => {
      const records = outputLengths.map((length, id) => record(id, length));
      const messages = healthMessages(PUBLISHER, records);
      const published = messages.flatMap((message) => {
        assert.equal(message.type, "PublishHealthRequest");
        assert.ok(Buffer.byteLength(JSON.stringify(message)) <= TELEMETRY_MESSAGE_BYTES_MAX);
        const { tasks } = message.message as { tasks: readonly { taskArn: string }[] };
        assert.ok(tasks.length >= 1 && tasks.length <= 10);
        return tasks.map(({ taskArn }) => taskArn);
      });
      assert.deepEqual(
        published,
        records.map(({ task }) => task.arn),
      );
      const fins = messages.map(({ message }) => "fin" in message.metadata && message.metadata.fin);
      assert.deepEqual(
        fins,
        messages.map((_, index) => index === messages.length - 1),
      );
    }),
    { numRuns: 50 },
  );
});

test("a machine without tasks is idle; one whose tasks have not been measured says nothing yet", () => {
  const idle = metricsMessages(
    PUBLISHER,
    [],
    () => undefined,
    () => 0,
  );
  assert.deepEqual(idle, [
    {
      type: "PublishMetricsRequest",
      message: {
        metadata: {
          cluster: "default",
          containerInstance: "arn:i",
          messageId: "m",
          idle: true,
          fin: true,
        },
        timestamp: 1,
      },
    },
  ]);
  assert.deepEqual(
    metricsMessages(
      PUBLISHER,
      [record(1, 0)],
      () => undefined,
      () => 0,
    ),
    [],
  );
});

test("what a container has used since the last message is told with its restarts", () => {
  const restartPolicy = { enabled: true };
  const task = payloadTask("t1", { containers: [payloadContainer("web", { restartPolicy })] });
  const running: TaskRecord = {
    ...newRecord(task),
    containers: [{ name: "web", status: "RUNNING", restartCount: 3 }],
  };
  const cpuStatsSet = { min: 1, max: 1, sampleCount: 1, sum: 1 };
  const [message] = metricsMessages(
    PUBLISHER,
    [running],
    () => ({ cpuStatsSet }),
    (_id, restartCount) => restartCount - 1,
  );
  assert.deepEqual((message?.message as { taskMetrics?: unknown } | undefined)?.taskMetrics, [
    {
      taskArn: task.arn,
      clusterArn: task.taskClusterArn,
      taskDefinitionFamily: "hello",
      taskDefinitionVersion: "1",
      containerMetrics: [
        { containerName: "web", cpuStatsSet, restartStatsSet: { restartCount: 2 } },
      ],
    },
  ]);
});
