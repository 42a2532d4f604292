import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attribute } from "@aws-sdk/client-ecs";
import { addInstance, openApi, registerEc2 } from "./api.fixture.ts";

const ARN = "arn:aws:ecs:us-east-1:111111111111:container-instance/demo/";
const cluster = "demo";

test("attributes are put, listed and deleted, by id or ARN", async () => {
  await using api = await openApi();
  for (const id of ["one", "two"]) await addInstance(api, id);
  const { attributes } = await api.call("PutAttributes", {
    cluster,
    attributes: [
      { name: "stack", value: "production", targetType: "container-instance", targetId: "one" },
      { name: "ssd", targetId: `${ARN}one` },
      { name: "stack", value: "test", targetId: `${ARN}two` },
    ],
  });
  assert.equal(attributes?.length, 3);
  assert.deepEqual(attributes?.[0], {
    name: "stack",
    value: "production",
    targetId: `${ARN}one`,
  });
  const list = async (name?: string, value?: string): Promise<Attribute[] | undefined> =>
    (
      await api.call("ListAttributes", {
        cluster,
        targetType: "container-instance",
        attributeName: name,
        attributeValue: value,
      })
    ).attributes;
  assert.deepEqual(await list("stack", "test"), [
    { name: "stack", value: "test", targetId: `${ARN}two` },
  ]);
  assert.deepEqual(
    (await list())?.filter(({ targetId }) => targetId === `${ARN}one`).map(({ name }) => name),
    [
      "com.amazonaws.ecs.capability.docker-remote-api.1.18",
      "ecs.availability-zone",
      "ecs.capability.task-cpu-mem-limit",
      "ecs.capability.task-eni",
      "ecs.cpu-architecture",
      "ssd",
      "stack",
    ],
  );
  const deleted = await api.call("DeleteAttributes", {
    cluster,
    attributes: [
      { name: "stack", targetId: "one" },
      { name: "stack", value: "other", targetId: "two" },
    ],
  });
  assert.deepEqual(deleted.attributes, [
    { name: "stack", value: "production", targetId: `${ARN}one` },
  ]);
  assert.deepEqual(await list("stack"), [{ name: "stack", value: "test", targetId: `${ARN}two` }]);
});

test("placement sees an attribute as soon as it is put", async () => {
  await using api = await openApi();
  await addInstance(api, "one");
  await registerEc2(api);
  const run = async (): Promise<number | undefined> =>
    (
      await api.call("RunTask", {
        cluster,
        taskDefinition: "ec2",
        placementConstraints: [{ type: "memberOf", expression: "attribute:stack == production" }],
      })
    ).tasks?.length;
  assert.equal(await run(), 0);
  const attributes = [{ name: "stack", value: "production", targetId: "one" }];
  await api.call("PutAttributes", { cluster, attributes });
  assert.equal(await run(), 1);
});

test("ListAttributes gives pages that neither repeat nor miss", async () => {
  await using api = await openApi();
  for (const id of ["one", "two"]) await addInstance(api, id);
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await api.call("ListAttributes", {
      cluster,
      targetType: "container-instance",
      maxResults: 3,
      nextToken,
    });
    seen.push(...(page.attributes ?? []).map(({ targetId, name }) => `${targetId} ${name}`));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.equal(seen.length, 10);
  assert.equal(new Set(seen).size, 10);
});

test("an instance has ten custom attributes at most, and a call changes all or nothing", async () => {
  await using api = await openApi();
  for (const id of ["one", "two"]) await addInstance(api, id);
  const attributes = Array.from({ length: 10 }, (_, n) => ({ name: `a${n}`, targetId: "one" }));
  await api.call("PutAttributes", { cluster, attributes });
  await api.call("PutAttributes", { cluster, attributes: attributes.slice(0, 1) });
  await assert.rejects(
    api.call("PutAttributes", {
      cluster,
      attributes: [
        { name: "b", targetId: "two" },
        { name: "b", targetId: "one" },
      ],
    }),
    { name: "AttributeLimitExceededException" },
  );
  const { attributes: found } = await api.call("ListAttributes", {
    cluster,
    targetType: "container-instance",
    attributeName: "b",
  });
  assert.deepEqual(found, []);
});

test("attributes that cannot be", async (t) => {
  await using api = await openApi();
  await addInstance(api, "one");
  await addInstance(api, "gone", { status: "INACTIVE" });
  const invalid = "InvalidParameterException";
  const target = { targetId: "one" };
  const cases: readonly (readonly [Attribute[], code: string, message: RegExp])[] = [
    [[], invalid, /^Attributes cannot be empty\.$/],
    [Array(11).fill({ name: "a", ...target }), invalid, /more than 10 elements/],
    [[{ name: "a b", ...target }], invalid, /name has 1 to 128/],
    [[{ name: "x".repeat(129), ...target }], invalid, /name has 1 to 128/],
    [[{ name: "a", value: " b", ...target }], invalid, /value of attribute a/],
    [[{ name: "a", value: "b ", ...target }], invalid, /value of attribute a/],
    [[{ name: "ecs.os-type", value: "windows", ...target }], invalid, /reserved/],
    [[{ name: "a", targetId: "none" }], "TargetNotFoundException", /^Could not find none$/],
    [[{ name: "a", targetId: "gone" }], "TargetNotFoundException", /^Could not find gone$/],
    [[{ name: "a" }], invalid, /^Attribute a has no targetId: /],
    [[{ name: "a", targetId: "" }], invalid, /^Attribute a has no targetId: /],
  ];
  for (const [attributes, name, message] of cases) {
    await t.test(String(message), async () => {
      const expected = { name, message };
      await assert.rejects(api.call("PutAttributes", { cluster, attributes }), expected);
      await assert.rejects(api.call("DeleteAttributes", { cluster, attributes }), expected);
    });
  }
  await assert.rejects(
    api.call("ListAttributes", { cluster, targetType: "container-instance", attributeValue: "x" }),
    { name: invalid },
  );
});
