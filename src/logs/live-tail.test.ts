import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type {
  LiveTailSessionUpdate,
  StartLiveTailRequest,
  StartLiveTailResponseStream,
} from "@aws-sdk/client-cloudwatch-logs";
import { putLogEvents } from "./events.ts";
import { startLiveTail } from "./live-tail.ts";
import { createDemo, type LogsKit, NOW, startLogs } from "./logs.fixture.ts";
import { createLogStream } from "./streams.ts";

const GROUP_ARN = "arn:aws:logs:eu-central-1:000000000000:log-group:/demo";

/** An open session: its stream, and its next update after a second. */
async function tail(
  { deps, call, clock }: LogsKit,
  input: Partial<StartLiveTailRequest> = {},
): Promise<{
  stream: AsyncIterator<StartLiveTailResponseStream>;
  update: () => Promise<LiveTailSessionUpdate>;
}> {
  const request = { logGroupIdentifiers: [GROUP_ARN], ...input };
  const { responseStream } = await startLiveTail(deps, request, call);
  assert.ok(responseStream);
  const stream = responseStream[Symbol.asyncIterator]();
  const { value } = await stream.next();
  assert.deepEqual(value?.sessionStart?.logGroupIdentifiers, [GROUP_ARN]);
  assert.equal(value?.sessionStart?.requestId, "test");
  return {
    stream,
    update: async () => {
      const next = stream.next();
      await clock.advance(1_000);
      return (await next).value?.sessionUpdate ?? assert.fail("no update");
    },
  };
}

function messagesOf(update: LiveTailSessionUpdate): (string | undefined)[] {
  return (update.sessionResults ?? []).map(({ message }) => message);
}

describe("startLiveTail()", () => {
  test("sends once a second what came in, and nothing twice", async (t) => {
    const kit = await startLogs(t);
    const names = await createDemo(kit);
    const put = (message: string): Promise<unknown> =>
      putLogEvents(kit.deps, { ...names, logEvents: [{ timestamp: NOW, message }] }, kit.call);
    await put("before");
    const { update } = await tail(kit);
    await put("one");
    await put("two");
    const first = await update();
    assert.deepEqual(first.sessionMetadata, { sampled: false });
    assert.deepEqual(first.sessionResults?.[0], {
      logStreamName: "web",
      logGroupIdentifier: GROUP_ARN,
      message: "one",
      timestamp: NOW,
      ingestionTime: NOW,
    });
    assert.deepEqual(messagesOf(first), ["one", "two"]);
    assert.deepEqual(messagesOf(await update()), []);
    await put("three");
    assert.deepEqual(messagesOf(await update()), ["three"]);
  });

  test("filters by pattern and stream", async (t) => {
    const kit = await startLogs(t);
    const names = await createDemo(kit);
    const other = { ...names, logStreamName: "db" };
    await createLogStream(kit.deps, other, kit.call);
    const byPattern = await tail(kit, { logEventFilterPattern: "ERROR" });
    const byName = await tail(kit, { logStreamNames: ["db"] });
    const byPrefix = await tail(kit, { logStreamNamePrefixes: ["w", "x"] });
    for (const stream of [names, other]) {
      const logEvents = ["ERROR", "fine"].map((text) => ({
        timestamp: NOW,
        message: `${text} ${stream.logStreamName}`,
      }));
      await putLogEvents(kit.deps, { ...stream, logEvents }, kit.call);
    }
    const updates = [byPattern, byName, byPrefix].map(({ stream }) => stream.next());
    await kit.clock.advance(1_000);
    const messages = (await Promise.all(updates)).map(({ value }) =>
      messagesOf(value?.sessionUpdate ?? assert.fail()),
    );
    assert.deepEqual(messages, [
      ["ERROR web", "ERROR db"],
      ["ERROR db", "fine db"],
      ["ERROR web", "fine web"],
    ]);
  });

  test("samples when more than 500 events come in a second, from all of them", async (t) => {
    const kit = await startLogs(t);
    const names = await createDemo(kit);
    const { update } = await tail(kit);
    const logEvents = Array.from({ length: 5_000 }, (_, i) => ({
      timestamp: NOW + i,
      message: `${i}`,
    }));
    await putLogEvents(kit.deps, { ...names, logEvents }, kit.call);
    const { sessionMetadata, sessionResults = [] } = await update();
    assert.deepEqual(sessionMetadata, { sampled: true });
    assert.equal(sessionResults.length, 500);
    const times = sessionResults.map(({ timestamp }) => timestamp ?? 0);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.ok((times[0] ?? 0) < NOW + 1_000 && (times.at(-1) ?? 0) > NOW + 4_000);
  });

  test("holds no more than some megabytes of large events", async (t) => {
    const kit = await startLogs(t);
    const names = await createDemo(kit);
    const { update } = await tail(kit);
    const logEvents = [{ timestamp: NOW, message: "x".repeat(900_000) }];
    for (let i = 0; i < 4; i++) await putLogEvents(kit.deps, { ...names, logEvents }, kit.call);
    const { sessionMetadata, sessionResults } = await update();
    assert.deepEqual(sessionMetadata, { sampled: true });
    assert.equal(sessionResults?.length, 2);
  });

  test("ends after three hours, or when its reader goes away", async (t) => {
    const kit = await startLogs(t);
    await createDemo(kit);
    const { stream } = await tail(kit);
    await assert.rejects(
      async () => {
        for (;;) {
          await Promise.all([stream.next(), kit.clock.advance(60_000)]);
        }
      },
      { code: "SessionTimeoutException" },
    );
    assert.ok(kit.clock.now() >= NOW + 3 * 3_600_000);
    const abort = new AbortController();
    const left = await tail({ ...kit, call: { ...kit.call, signal: abort.signal } });
    assert.equal(kit.deps.tails.countOf("000000000000"), 1);
    const end = left.stream.next();
    abort.abort();
    assert.equal((await end).done, true);
    assert.equal(kit.deps.tails.countOf("000000000000"), 0);
  });

  test("refuses what AWS refuses", async (t) => {
    const kit = await startLogs(t);
    await createDemo(kit);
    const start = (input: StartLiveTailRequest): Promise<unknown> =>
      startLiveTail(kit.deps, input, kit.call);
    const invalid = { code: "InvalidParameterException" };
    const one = { logGroupIdentifiers: [GROUP_ARN] };
    await assert.rejects(start({ logGroupIdentifiers: [] }), invalid);
    await assert.rejects(start({ logGroupIdentifiers: Array(11).fill(GROUP_ARN) }), invalid);
    await assert.rejects(start({ logGroupIdentifiers: ["/demo"] }), invalid);
    await assert.rejects(start({ logGroupIdentifiers: [`${GROUP_ARN}:*`] }), invalid);
    await assert.rejects(start({ logGroupIdentifiers: [`${GROUP_ARN}x`] }), {
      code: "ResourceNotFoundException",
    });
    const both = { ...one, logStreamNames: ["a"], logStreamNamePrefixes: ["a"] };
    await assert.rejects(start(both), invalid);
    const twoGroups = { logGroupIdentifiers: [GROUP_ARN, GROUP_ARN], logStreamNames: ["a"] };
    await assert.rejects(start(twoGroups), invalid);
    await assert.rejects(start({ ...one, logStreamNames: [] }), invalid);
    await assert.rejects(start({ ...one, logEventFilterPattern: "{" }), invalid);
  });

  test("gives an account 15 sessions, also when it asks for all at once, until their readers leave", async (t) => {
    const kit = await startLogs(t);
    await createDemo(kit);
    const abort = new AbortController();
    const call = { ...kit.call, signal: abort.signal };
    const input = { logGroupIdentifiers: [GROUP_ARN] };
    const start = () => startLiveTail(kit.deps, input, call);
    const answers = await Promise.allSettled(Array.from({ length: 20 }, start));
    const refused = answers.flatMap((answer) =>
      answer.status === "rejected" ? [answer.reason.code] : [],
    );
    assert.deepEqual(refused, Array(5).fill("LimitExceededException"));
    abort.abort();
    assert.equal(kit.deps.tails.countOf("000000000000"), 0);
    await tail(kit);
  });
});
