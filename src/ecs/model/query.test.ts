import assert from "node:assert/strict";
import { test } from "node:test";
import { buildInstance } from "./instance.fixture.ts";
import { matchesQuery, type QueryTarget } from "./query.ts";
import { parseQuery } from "./query-parse.ts";

const target: QueryTarget = {
  instance: buildInstance({
    ec2InstanceId: "i-abcd1234",
    agentConnected: true,
    versionInfo: { agentVersion: "1.10.0" },
    registeredAt: Date.parse("2018-06-18T22:28:28Z"),
    attributes: [
      { name: "ecs.instance-type", value: "t2.small" },
      { name: "ecs.availability-zone", value: "us-east-1a" },
      { name: "stack", value: "prod blue" },
      { name: "size", value: "12" },
      { name: "ecs.capability.task-eni" },
    ],
  }),
  runningTasksCount: 4,
  groups: ["service:production", "database"],
};

const TRUE = [
  "attribute:ecs.instance-type == t2.small",
  "attribute:ecs.instance-type equals 't2.small'",
  "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]",
  "attribute:ecs.instance-type =~ t2.* and attribute:ecs.availability-zone != us-east-1d",
  "not(task:group == web)",
  "task:group == service:production",
  "ec2InstanceId in ['i-abcd1234', \"i-wxyx7890\"]",
  "attribute:stack exists",
  'attribute:stack == "prod blue"',
  "attribute:absent !exists",
  "attribute:absent not_exists",
  "attribute:ecs.capability.task-eni exists",
  "runningTasksCount < 5",
  "runningTasksCount >= 4 && runningTasksCount <= 4",
  "agentVersion > 1.9.3",
  "agentVersion == 1.10",
  "registeredAt < 2018-06-19",
  "registeredAt >= 2018-06-18T22:28:28",
  "registeredAt == 2018-06-19T00:28:28+02:00",
  "agentConnected == true",
  "attribute:size > 9",
  "attribute:absent != anything",
  "attribute:ecs.availability-zone !in [us-east-1c]",
  "attribute:ecs.instance-type !~ m5.*",
  "runningTasksCount == 1 and runningTasksCount == 2 or agentConnected == true",
  "agentConnected == true and (runningTasksCount == 1 or runningTasksCount == 4)",
  "!(agentConnected == false)",
];

const FALSE = [
  "attribute:ecs.instance-type == t2.large",
  "attribute:ecs.instance-type =~ t2",
  "task:group == web",
  "attribute:absent > 1",
  "attribute:stack > 1",
  "not agentConnected == true",
];

const INVALID = [
  "",
  "nonsense == 1",
  "runningTasksCount =~ 4",
  "agentConnected exists",
  "attribute:a ==",
  "attribute:a == b c",
  "(attribute:a == b",
  "attribute:a in b",
  "attribute:a in [b",
  "attribute:a = b",
  "attribute:a =~ '['",
  "attribute:a =~ 'a)|(b'",
  "attribute:a =~ '(a)\\1'",
  `attribute:a == ${"x".repeat(2000)}`,
];

test("matchesQuery() finds what the developer guide's examples say", () => {
  for (const text of TRUE) assert.equal(matchesQuery(parseQuery(text), target), true, text);
  for (const text of FALSE) assert.equal(matchesQuery(parseQuery(text), target), false, text);
});

test("matchesQuery() takes any pattern in time that grows with the value's length", () => {
  const value = "a".repeat(128);
  const withValue = (of: string): QueryTarget => ({
    ...target,
    instance: buildInstance({ attributes: [{ name: "a", value: of }] }),
  });
  for (const pattern of ["(a+)+b", "(a|a)*b", `${".*".repeat(20)}b`]) {
    const query = parseQuery(`attribute:a =~ '${pattern}'`);
    assert.equal(matchesQuery(query, withValue(value)), false);
    assert.equal(matchesQuery(query, withValue(`${value}b`)), true);
  }
});

test("parseQuery() refuses what is not an expression, nor patterns that cannot be read", () => {
  for (const text of INVALID) {
    assert.throws(() => parseQuery(text), { name: "InvalidParameterException" }, text);
  }
});
