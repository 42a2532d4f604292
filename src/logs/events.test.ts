import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GetLogEventsRequest } from "@aws-sdk/client-cloudwatch-logs";
import { getLogEvents, putLogEvents } from "./events.ts";
import { createDemo, type LogsKit, NOW, startLogs } from "./logs.fixture.ts";
import { DAY_MS } from "./model.ts";
import { putRetentionPolicy } from "./retention.ts";
import { createLogStream } from "./streams.ts";

const HOUR_MS = 60 * 60 * 1000;
const DEMO = { logGroupName: "/demo", logStreamName: "web" };

function put({ deps, call }: LogsKit, ...timestamps: number[]) {
  const logEvents = timestamps.map((timestamp) => ({
    timestamp,
    message: String(timestamp - NOW),
  }));
  return putLogEvents(deps, { ...DEMO, logEvents }, call);
}

async function messages({ deps, call }: LogsKit, input: Partial<GetLogEventsRequest>) {
  const { events = [] } = await getLogEvents(deps, { ...DEMO, ...input }, call);
  return events.map(({ message }) => message);
}

async function start(t: Parameters<typeof startLogs>[0]): Promise<LogsKit> {
  const kit = await startLogs(t);
  await createDemo(kit);
  return kit;
}

describe("PutLogEvents", () => {
  test("refuses a batch that breaks AWS's rules, and takes nothing of it", async (t) => {
    const kit = await start(t);
    const { deps, call } = kit;
    const event = { timestamp: NOW, message: "x" };
    for (const [logEvents, message] of [
      [[], /length greater than or equal to 1/],
      [Array(10_001).fill(event), /length less than or equal to 10000/],
      [[{ timestamp: NOW, message: "" }], /'logEvents.1.member.message'/],
      [[{ timestamp: -1, message: "x" }], /'logEvents.1.member.timestamp'/],
      [
        [{ timestamp: NOW, message: "ü".repeat(524_276) }],
        /^Upload too large: 1048578 bytes exceeds/,
      ],
      [
        [event, { timestamp: NOW - 1, message: "x" }],
        /^Log events in a single PutLogEvents request must be in chronological order\.$/,
      ],
      [
        [{ timestamp: NOW - DAY_MS - 1, message: "x" }, event],
        /^The batch of log events in a single PutLogEvents request cannot span more than 24 hours\.$/,
      ],
    ] as const) {
      const error = { code: "InvalidParameterException", message };
      await assert.rejects(putLogEvents(deps, { ...DEMO, logEvents: [...logEvents] }, call), error);
    }
    assert.deepEqual(await messages(kit, {}), []);
    await assert.rejects(
      putLogEvents(deps, { ...DEMO, logStreamName: "nope", logEvents: [event] }, call),
      { code: "ResourceNotFoundException", message: "The specified log stream does not exist." },
    );
  });

  test("takes a batch of exactly the largest size", async (t) => {
    const { deps, call } = await start(t);
    const logEvents = [{ timestamp: NOW, message: "x".repeat(1_048_576 - 26) }];
    await putLogEvents(deps, { ...DEMO, logEvents, sequenceToken: "whatever" }, call);
    const { events } = await getLogEvents(deps, DEMO, call);
    assert.equal(events?.[0]?.message?.length, 1_048_576 - 26);
  });

  test("leaves out what is too old or too new, says so, and takes the rest", async (t) => {
    const kit = await start(t);
    const { nextSequenceToken, rejectedLogEventsInfo } = await put(
      kit,
      NOW - 14 * DAY_MS - 1,
      NOW - 1,
      NOW + 2 * HOUR_MS,
      NOW + 2 * HOUR_MS + 1,
    );
    assert.match(nextSequenceToken ?? "", /^\d{56}$/);
    assert.deepEqual(rejectedLogEventsInfo, {
      tooOldLogEventEndIndex: 1,
      tooNewLogEventStartIndex: 3,
    });
    assert.deepEqual(await messages(kit, {}), ["-1", String(2 * HOUR_MS)]);

    const { deps, call } = kit;
    await putRetentionPolicy(deps, { ...DEMO, retentionInDays: 1 }, call);
    const expired = await put(kit, NOW - DAY_MS - 1);
    assert.deepEqual(expired.rejectedLogEventsInfo, { expiredLogEventEndIndex: 1 });
  });

  test("events of parallel calls come back in order of time and then arrival", async (t) => {
    const kit = await start(t);
    await Promise.all([put(kit, NOW + 5, NOW + 9), put(kit, NOW, NOW + 5), put(kit, NOW + 7)]);
    assert.deepEqual(await messages(kit, { startFromHead: true }), ["0", "5", "5", "7", "9"]);
  });
});

describe("the sequence token of an agent", () => {
  test("keeps what was stored already from being stored again, and says where to go on", async (t) => {
    const kit = await start(t);
    const { deps, call } = kit;
    const send = (from: number, to: number, writer = "task-web"): Promise<unknown> =>
      putLogEvents(
        deps,
        {
          ...DEMO,
          sequenceToken: `output:${writer}:${from}-${to}`,
          logEvents: [{ timestamp: NOW, message: `${from}-${to}` }],
        },
        call,
      );
    await send(0, 10);
    await send(10, 20);
    for (const [from, to] of [
      [10, 20],
      [0, 10],
      [15, 30],
    ] as const) {
      await assert.rejects(send(from, to), {
        code: "InvalidSequenceTokenException",
        members: { expectedSequenceToken: "output:task-web:20-20" },
      });
    }
    await send(20, 30);
    await send(40, 50);
    await send(0, 5, "other");
    assert.deepEqual(await messages(kit, {}), ["0-10", "10-20", "20-30", "40-50", "0-5"]);
  });

  test("every other token is ignored", async (t) => {
    const kit = await start(t);
    const { deps, call } = kit;
    const logEvents = [{ timestamp: NOW, message: "x" }];
    for (const sequenceToken of ["4".repeat(56), "output:w:5-1", "output:w:5-1", "output:w"]) {
      await putLogEvents(deps, { ...DEMO, sequenceToken, logEvents }, call);
    }
    assert.equal((await messages(kit, {})).length, 4);
  });
});

describe("GetLogEvents", () => {
  test("gives the latest events unless asked to start from the head, oldest first", async (t) => {
    const kit = await start(t);
    await put(kit, NOW, NOW + 1, NOW + 2, NOW + 3);
    assert.deepEqual(await messages(kit, { limit: 2 }), ["2", "3"]);
    assert.deepEqual(await messages(kit, { limit: 2, startFromHead: true }), ["0", "1"]);
    assert.deepEqual(await messages(kit, { startTime: NOW + 1, endTime: NOW + 3 }), ["1", "2"]);
    assert.deepEqual(await messages(kit, { startTime: NOW + 3, endTime: NOW }), []);
  });

  test("the end of the stream gives the same token back, and later events show there", async (t) => {
    const kit = await start(t);
    const { deps, call } = kit;
    const read = (nextToken?: string) =>
      getLogEvents(deps, { ...DEMO, startFromHead: true, ...(nextToken && { nextToken }) }, call);
    const empty = await read();
    assert.match(empty.nextForwardToken ?? "", /^f\/\d{56}\/s$/);
    assert.match(empty.nextBackwardToken ?? "", /^b\/\d{56}\/s$/);
    await put(kit, NOW, NOW + 1);
    const first = await read(empty.nextForwardToken);
    assert.equal(first.events?.length, 2);
    const end = await read(first.nextForwardToken);
    assert.deepEqual(end.events, []);
    assert.equal(end.nextForwardToken, first.nextForwardToken);
    await put(kit, NOW + 1);
    assert.equal((await read(end.nextForwardToken)).events?.length, 1);

    const top = await read(first.nextBackwardToken);
    assert.deepEqual(top.events, []);
    assert.equal(top.nextBackwardToken, first.nextBackwardToken);
  });

  test("tokens lead through the whole stream backward without loss", async (t) => {
    const kit = await start(t);
    const all = Array.from({ length: 25 }, (_, i) => NOW + Math.floor(i / 3));
    await put(kit, ...all);
    const seen: (string | undefined)[] = [];
    let token: string | undefined;
    for (;;) {
      const input = { ...DEMO, limit: 4, ...(token && { nextToken: token }) };
      const page = await getLogEvents(kit.deps, input, kit.call);
      seen.unshift(...(page.events ?? []).map(({ message }) => message));
      if (page.nextBackwardToken === token) break;
      token = page.nextBackwardToken;
    }
    assert.deepEqual(
      seen,
      all.map((timestamp) => String(timestamp - NOW)),
    );
  });

  test("a page ends at 1 MB of text", async (t) => {
    const kit = await start(t);
    const { deps, call } = kit;
    for (let i = 0; i < 3; i++) {
      const logEvents = [{ timestamp: NOW + i, message: "x".repeat(500_000) }];
      await putLogEvents(deps, { ...DEMO, logEvents }, call);
    }
    assert.equal((await messages(kit, { startFromHead: true })).length, 2);
  });

  test("a token that is not of this stream is refused", async (t) => {
    const kit = await start(t);
    const { deps, call } = kit;
    await createLogStream(deps, { ...DEMO, logStreamName: "other" }, call);
    const other = await getLogEvents(deps, { ...DEMO, logStreamName: "other" }, call);
    const foreign = other.nextForwardToken ?? "";
    for (const nextToken of ["x", "f/1/s", `f/${"3".repeat(56)}/s`, foreign]) {
      const error = {
        code: "InvalidParameterException",
        message: "The specified nextToken is invalid.",
      };
      await assert.rejects(getLogEvents(deps, { ...DEMO, nextToken }, call), error);
    }
  });

  test("events beyond the group's retention are out of sight", async (t) => {
    const kit = await start(t);
    await put(kit, NOW, NOW + HOUR_MS);
    await putRetentionPolicy(kit.deps, { ...DEMO, retentionInDays: 1 }, kit.call);
    await kit.clock.advance(DAY_MS + 1);
    assert.deepEqual(await messages(kit, {}), [String(HOUR_MS)]);
  });
});
