import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddTagsToResourceCommand,
  DeleteParameterCommand,
  DeleteParametersCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  GetParameterHistoryCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  LabelParameterVersionCommand,
  ListTagsForResourceCommand,
  PutParameterCommand,
  type PutParameterCommandInput,
  paginateGetParametersByPath,
  RemoveTagsFromResourceCommand,
  SSMClient,
  UnlabelParameterVersionCommand,
} from "@aws-sdk/client-ssm";
import { ACCOUNT_ID, REGION, ROOT_KEY, startDoor } from "../../test/door-kit.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { Sealer } from "../lib/sealer.ts";
import { createCache } from "../store/cache.ts";
import { openMemoryStore } from "../store/memory.ts";
import { openSlowStore } from "../store/slow-store.fixture.ts";
import type { Store } from "../store/store.ts";
import { ssmService } from "./operations.ts";

test("a parameter is read by name, version, label and ARN", async () => {
  await using ssm = await start();
  await ssm.put({ Name: "/app/url", Value: "one" });
  await ssm.put({ Name: "/app/url", Value: "two", Overwrite: true, Type: undefined });
  await ssm.client.send(
    new LabelParameterVersionCommand({
      Name: "/app/url",
      ParameterVersion: 1,
      Labels: ["old", "1bad"],
    }),
  );
  const arn = `arn:aws:ssm:${REGION}:${ACCOUNT_ID}:parameter/app/url`;
  const cases = [
    ["/app/url", "two"],
    ["/app/url:1", "one"],
    ["/app/url:old", "one"],
    [arn, "two"],
    [`${arn}:1`, "one"],
  ] as const;
  for (const [Name, value] of cases) {
    const { Parameter } = await ssm.client.send(new GetParameterCommand({ Name }));
    assert.deepEqual([Parameter?.Value, Parameter?.ARN], [value, arn], Name);
  }
  await assert.rejects(ssm.client.send(new GetParameterCommand({ Name: "/app/url:9" })), {
    name: "ParameterVersionNotFound",
  });
  await ssm.client.send(
    new UnlabelParameterVersionCommand({ Name: "/app/url", ParameterVersion: 1, Labels: ["old"] }),
  );
  await assert.rejects(ssm.client.send(new GetParameterCommand({ Name: "/app/url:old" })), {
    name: "ParameterVersionNotFound",
  });
});

test("a SecureString is readable with decryption only, and sealed where it is stored", async () => {
  await using ssm = await start();
  await ssm.put({ Name: "password", Value: "swordfish", Type: "SecureString" });
  const read = async (WithDecryption: boolean) =>
    (await ssm.client.send(new GetParameterCommand({ Name: "password", WithDecryption }))).Parameter
      ?.Value;
  assert.equal(await read(true), "swordfish");
  assert.ok(!(await read(false))?.includes("swordfish"));
  const stored = JSON.stringify((await ssm.store.list("/")).records.map(({ value }) => value));
  assert.ok(!stored.includes("swordfish"));
});

test("GetParameters tells what is missing beside what is there; deletions likewise", async () => {
  await using ssm = await start();
  await ssm.put({ Name: "a", Value: "1" });
  const got = await ssm.client.send(new GetParametersCommand({ Names: ["a", "b"] }));
  assert.deepEqual(
    got.Parameters?.map(({ Name }) => Name),
    ["a"],
  );
  assert.deepEqual(got.InvalidParameters, ["b"]);
  const gone = await ssm.client.send(new DeleteParametersCommand({ Names: ["a", "b"] }));
  assert.deepEqual([gone.DeletedParameters, gone.InvalidParameters], [["a"], ["b"]]);
  assert.deepEqual((await ssm.store.list("/")).records, []);
  await assert.rejects(ssm.client.send(new DeleteParameterCommand({ Name: "a" })), {
    name: "ParameterNotFound",
  });
});

test("a path gives its own level or all levels, page by page", async () => {
  await using ssm = await start();
  const names = ["/p/a", "/p/b", "/p/b/c", "/p/d/e", "/pq/x"];
  for (const Name of names) await ssm.put({ Name, Value: Name });
  const below = async (Recursive: boolean) => {
    const found: (string | undefined)[] = [];
    const input = { Path: "/p", Recursive, MaxResults: 1 };
    for await (const { Parameters = [] } of paginateGetParametersByPath(
      { client: ssm.client },
      input,
    )) {
      found.push(...Parameters.map(({ Name }) => Name));
    }
    return found;
  };
  assert.deepEqual(await below(false), ["/p/a", "/p/b"]);
  assert.deepEqual(await below(true), ["/p/a", "/p/b", "/p/b/c", "/p/d/e"]);
  const described = await ssm.client.send(
    new DescribeParametersCommand({
      ParameterFilters: [{ Key: "Name", Option: "BeginsWith", Values: ["/pq"] }],
    }),
  );
  assert.deepEqual(
    described.Parameters?.map(({ Name }) => Name),
    ["/pq/x"],
  );
});

test("a hundred versions are kept; history and tags are shown", async () => {
  await using ssm = await start();
  for (let i = 1; i <= 102; i++) await ssm.put({ Name: "n", Value: String(i), Overwrite: true });
  const { Parameters = [] } = await ssm.client.send(new GetParameterHistoryCommand({ Name: "n" }));
  assert.deepEqual([Parameters[0]?.Version, Parameters.length], [3, 50]);
  const resource = { ResourceType: "Parameter" as const, ResourceId: "n" };
  await ssm.client.send(
    new AddTagsToResourceCommand({
      ...resource,
      Tags: [
        { Key: "a", Value: "1" },
        { Key: "b", Value: "2" },
      ],
    }),
  );
  await ssm.client.send(new RemoveTagsFromResourceCommand({ ...resource, TagKeys: ["a"] }));
  const { TagList } = await ssm.client.send(new ListTagsForResourceCommand(resource));
  assert.deepEqual(TagList, [{ Key: "b", Value: "2" }]);
});

test("a parameter can be deleted whatever else is done to it at the same time", async () => {
  await using ssm = await start(openSlowStore());
  await ssm.put({ Name: "p", Value: "0" });
  const remove = (): Promise<unknown> =>
    ssm.client.send(new DeleteParameterCommand({ Name: "p" })).then(
      () => "deleted",
      ({ name }: Error) => name,
    );
  assert.deepEqual((await Promise.all([remove(), remove()])).toSorted(), [
    "ParameterNotFound",
    "deleted",
  ]);
  await ssm.put({ Name: "p", Value: "1" });
  const overwrite = { Name: "p", Value: "2", Overwrite: true };
  const [deleted] = await Promise.all([remove(), ssm.put(overwrite), ssm.put(overwrite)]);
  assert.equal(deleted, "deleted");
});

test("a version's name deletes nothing, and neither does half a character", async () => {
  await using ssm = await start();
  await ssm.put({ Name: "p", Value: "0" });
  for (const Name of ["p:1", "p:label", "\ud800"]) {
    await assert.rejects(ssm.client.send(new DeleteParameterCommand({ Name })), {
      name: "ParameterNotFound",
    });
    const gone = await ssm.client.send(new DeleteParametersCommand({ Names: [Name] }));
    assert.deepEqual([gone.DeletedParameters, gone.InvalidParameters], [[], [Name]]);
    const labels = { Name, Labels: ["a"] };
    await assert.rejects(ssm.client.send(new LabelParameterVersionCommand(labels)), {
      name: "ParameterNotFound",
    });
  }
  const { Parameter } = await ssm.client.send(new GetParameterCommand({ Name: "p" }));
  assert.equal(Parameter?.Value, "0");
});

test("no label is put on a version that is going", async () => {
  await using ssm = await start(openSlowStore());
  for (let i = 1; i <= 100; i++) await ssm.put({ Name: "p", Value: String(i), Overwrite: true });
  const label = { Name: "p", ParameterVersion: 1, Labels: ["first"] };
  const [, outcome] = await Promise.allSettled([
    ssm.put({ Name: "p", Value: "101", Overwrite: true }),
    ssm.client.send(new LabelParameterVersionCommand(label)),
  ]);
  const { Parameters = [] } = await ssm.client.send(
    new DescribeParametersCommand({ ParameterFilters: [{ Key: "Label", Values: ["first"] }] }),
  );
  const read = ssm.client.send(new GetParameterCommand({ Name: "p:first" }));
  assert.equal(Parameters.length, outcome.status === "fulfilled" ? 1 : 0);
  if (outcome.status === "fulfilled") assert.equal((await read).Parameter?.Value, "1");
  else await assert.rejects(read, { name: "ParameterVersionNotFound" });
});

test("the longest name that there can be is a parameter's as any other", async () => {
  await using ssm = await start();
  const Name = `${"/a".repeat(14)}/`.padEnd(1011, "b");
  await ssm.put({ Name, Value: "0" });
  const { Parameter } = await ssm.client.send(new GetParameterCommand({ Name }));
  assert.equal(Parameter?.Value, "0");
  await assert.rejects(ssm.put({ Name: `${Name}b`, Value: "0" }), { name: "ValidationException" });
});

test("bad input has Parameter Store's own errors", async () => {
  await using ssm = await start();
  await ssm.put({ Name: "there", Value: "1" });
  const cases: readonly [Partial<PutParameterCommandInput>, string][] = [
    [{ Name: "there" }, "ParameterAlreadyExists"],
    [{ Name: "a b" }, "ValidationException"],
    [{ Name: "a/b" }, "ValidationException"],
    [{ Name: "/aws/x" }, "ValidationException"],
    [{ Name: "/a//b" }, "ValidationException"],
    [{ Name: "/a/" }, "ValidationException"],
    [{ Name: "x", Value: "a\n{{ssm:b}}" }, "ValidationException"],
    [{ Name: "x", Overwrite: true, Tags: [{ Key: "a", Value: "b" }] }, "ValidationException"],
    [{ Name: `/${"a/".repeat(16)}b` }, "HierarchyLevelLimitExceededException"],
    [{ Name: "x", Value: "v".repeat(4097) }, "ValidationException"],
    [{ Name: "x", AllowedPattern: "\\d+", Value: "a" }, "ParameterPatternMismatchException"],
    [{ Name: "x", AllowedPattern: "(", Value: "a" }, "InvalidAllowedPatternException"],
    [{ Name: "x", Type: undefined }, "ValidationException"],
    [{ Name: "x", Description: "d".repeat(1025) }, "ValidationException"],
  ];
  for (const [input, name] of cases) {
    await assert.rejects(
      ssm.put({ Name: "x", Value: "1", ...input }),
      { name },
      JSON.stringify(input),
    );
  }
  await assert.rejects(ssm.client.send(new GetParametersByPathCommand({ Path: "x" })), {
    name: "ValidationException",
  });
  const filters = [
    [{ Key: "constructor" }, "InvalidFilterKey"],
    [{ Key: "Name", Option: "constructor" }, "InvalidFilterOption"],
  ] as const;
  for (const [filter, name] of filters) {
    const ParameterFilters = [{ ...filter, Values: ["x"] }];
    await assert.rejects(ssm.client.send(new DescribeParametersCommand({ ParameterFilters })), {
      name,
    });
  }
  const ParameterFilters = [{ Key: "tag:constructor", Values: ["x"] }];
  const found = await ssm.client.send(new DescribeParametersCommand({ ParameterFilters }));
  assert.deepEqual(found.Parameters, []);
});

async function start(store: Store = openMemoryStore()) {
  const cache = createCache({ store, indexes: {}, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  await cache.reached(0);
  const sealer = new Sealer(systemRandom.bytes(32), systemRandom);
  const deps = { store, cache, sealer, clock: systemClock, random: systemRandom, log: silentLog };
  const door = await startDoor({ services: [ssmService(deps)] });
  const client = new SSMClient({
    endpoint: door.url,
    region: REGION,
    credentials: ROOT_KEY,
    maxAttempts: 1,
  });
  return {
    client,
    store,
    put: (input: PutParameterCommandInput) =>
      client.send(new PutParameterCommand({ Type: "String", ...input })),
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await door[Symbol.asyncDispose]();
      end.abort();
      await following;
      await store.close();
    },
  };
}
