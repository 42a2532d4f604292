import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type {
  FilterLogEventsRequest,
  FilterLogEventsResponse,
} from "@aws-sdk/client-cloudwatch-logs";
import { ApiError } from "../lib/errors.ts";
import { putLogEvents } from "./events.ts";
import { filterLogEvents } from "./filter-events.ts";
import { createLogGroup } from "./groups.ts";
import { type LogsKit, NOW, startLogs } from "./logs.fixture.ts";
import { putRetentionPolicy } from "./retention.ts";
import { createLogStream } from "./streams.ts";

const GROUP = { logGroupName: "/demo" };
const HOUR_MS = 3_600_000;

/** The group `/demo` with events at `NOW - HOUR + n` in the streams of `messages`. */
async function fill(kit: LogsKit, messages: Record<string, readonly string[]>): Promise<void> {
  const { deps, call } = kit;
  await createLogGroup(deps, GROUP, call);
  for (const [logStreamName, texts] of Object.entries(messages)) {
    await createLogStream(deps, { ...GROUP, logStreamName }, call);
    const logEvents = texts.map((message, i) => ({ timestamp: NOW - HOUR_MS + i, message }));
    await putLogEvents(deps, { ...GROUP, logStreamName, logEvents }, call);
  }
}

async function filterAll(
  { deps, call }: LogsKit,
  input: FilterLogEventsRequest,
): Promise<{ pages: FilterLogEventsResponse[]; messages: (string | undefined)[] }> {
  const pages: FilterLogEventsResponse[] = [];
  let nextToken: string | undefined;
  do {
    const page = await filterLogEvents(
      deps,
      { ...GROUP, ...input, ...(nextToken && { nextToken }) },
      call,
    );
    pages.push(page);
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return { pages, messages: pages.flatMap(({ events = [] }) => events.map((e) => e.message)) };
}

function rejects(promise: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  return assert.rejects(
    promise,
    (error) => error instanceof ApiError && error.code === code && message.test(error.message),
  );
}

describe("filterLogEvents()", () => {
  test("interleaves the streams in order of time and gives each event its own id", async (t) => {
    const kit = await startLogs(t);
    await fill(kit, { a: ["a0", "a1"], b: ["b0", "b1"] });
    const { pages, messages } = await filterAll(kit, {});
    assert.deepEqual(
      messages.map((message) => message?.at(1)),
      ["0", "0", "1", "1"],
    );
    assert.deepEqual(messages.toSorted(), ["a0", "a1", "b0", "b1"]);
    const events = pages[0]?.events ?? [];
    assert.equal(new Set(events.map(({ eventId }) => eventId)).size, 4);
    assert.match(events[0]?.eventId ?? "", /^3\d{55}$/);
    assert.equal(events[0]?.ingestionTime, NOW);
    assert.ok(["a", "b"].includes(events[0]?.logStreamName ?? ""));
    assert.deepEqual(pages[0]?.searchedLogStreams, []);
  });

  test("pages through with tokens, either way, and finds the same", async (t) => {
    const kit = await startLogs(t);
    const texts = Array.from({ length: 7 }, (_, i) => `line ${i}`);
    await fill(kit, { a: texts, b: texts, c: texts });
    const all = await filterAll(kit, {});
    const paged = await filterAll(kit, { limit: 2 });
    assert.deepEqual(paged.messages, all.messages);
    assert.ok(paged.pages.every(({ events }) => (events?.length ?? 0) <= 2));
    const startTime = NOW - HOUR_MS;
    const latest = await filterAll(kit, { limit: 2, startTime, startFromHead: false });
    assert.deepEqual(latest.messages, all.messages.toReversed());
  });

  test("searches by pattern, time, streams' names and their prefix", async (t) => {
    const kit = await startLogs(t);
    await fill(kit, {
      "web/1": ["GET /", "ERROR one"],
      "web/2": ["ERROR two"],
      db: ["ERROR three", "slow"],
    });
    const found = async (input: FilterLogEventsRequest): Promise<unknown> =>
      (await filterAll(kit, input)).messages.toSorted();
    assert.deepEqual(await found({ filterPattern: "ERROR -two" }), ["ERROR one", "ERROR three"]);
    assert.deepEqual(await found({ logStreamNamePrefix: "web/" }), [
      "ERROR one",
      "ERROR two",
      "GET /",
    ]);
    assert.deepEqual(await found({ logStreamNames: ["db"] }), ["ERROR three", "slow"]);
    const at = NOW - HOUR_MS;
    // Unlike in GetLogEvents, the end is part of the range.
    assert.deepEqual(await found({ startTime: at + 1, endTime: at + 1 }), ["ERROR one", "slow"]);
    assert.deepEqual(await found({ startTime: at + 2 }), []);
  });

  test("does not show what is past its retention", async (t) => {
    const kit = await startLogs(t);
    await fill(kit, { a: ["old"] });
    await putRetentionPolicy(kit.deps, { ...GROUP, retentionInDays: 1 }, kit.call);
    await kit.clock.advance(23 * HOUR_MS);
    assert.deepEqual((await filterAll(kit, {})).messages, ["old"]);
    await kit.clock.advance(HOUR_MS);
    assert.deepEqual((await filterAll(kit, {})).messages, []);
  });

  test("refuses what AWS refuses", async (t) => {
    const kit = await startLogs(t);
    await fill(kit, { a: ["one", "two"] });
    const call = (input: FilterLogEventsRequest): Promise<unknown> =>
      filterLogEvents(kit.deps, input, kit.call);
    const invalid = "InvalidParameterException";
    await rejects(call({}), invalid, /Exactly one of logGroupName/);
    await rejects(call({ logGroupName: "/gone" }), "ResourceNotFoundException", /log group/);
    const missing = { ...GROUP, logStreamNames: ["gone"] };
    await rejects(call(missing), "ResourceNotFoundException", /log stream/);
    const both = { ...GROUP, logStreamNames: ["a"], logStreamNamePrefix: "a" };
    await rejects(call(both), invalid, /mutually exclusive/);
    await rejects(call({ ...GROUP, logStreamNames: [] }), invalid, /logStreamNames/);
    await rejects(call({ ...GROUP, limit: 10_001 }), invalid, /less than or equal to 10000/);
    await rejects(call({ ...GROUP, startTime: -1 }), invalid, /startTime/);
    await rejects(call({ ...GROUP, filterPattern: "a@b" }), invalid, /^Invalid filter pattern/);
    const long = { ...GROUP, filterPattern: "a".repeat(1_025) };
    await rejects(call(long), invalid, /length less than or equal to 1024/);
    const tooOld = { ...GROUP, startFromHead: false, startTime: 1 };
    await rejects(call(tooOld), invalid, /startFromHead/);
    const { nextToken } = await filterLogEvents(kit.deps, { ...GROUP, limit: 1 }, kit.call);
    assert.ok(nextToken);
    await rejects(call({ ...GROUP, nextToken: "x" }), invalid, /nextToken is invalid/);
    const other = { ...GROUP, nextToken, filterPattern: "other" };
    await rejects(call(other), invalid, /nextToken is invalid/);
  });

  test("lets a hundred searches wait, no more, and none of who has left", async (t) => {
    const kit = await startLogs(t);
    await fill(kit, { web: ["one"] });
    const release = Promise.withResolvers<void>();
    const busy = kit.deps.scans.use(() => release.promise);
    const left = new AbortController();
    const search = (signal = kit.call.signal) =>
      filterLogEvents(kit.deps, GROUP, { ...kit.call, signal });
    const waiting = Array.from({ length: 99 }, () => search());
    const abandoned = search(left.signal);
    await assert.rejects(search(), { code: "ThrottlingException", message: "Rate exceeded" });
    left.abort();
    release.resolve();
    await busy;
    await assert.rejects(abandoned, { name: "UnavailableError" });
    for (const { events } of await Promise.all(waiting)) assert.equal(events?.length, 1);
    assert.equal((await search()).events?.length, 1);
  });
});
