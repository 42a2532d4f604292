import assert from "node:assert/strict";
import { test } from "node:test";
import { loadShapes } from "./service-table.ts";
import type { StructureShape } from "./shape.ts";
import { coralText, findViolations } from "./validate.ts";

function inputOf(operation: string): StructureShape {
  return loadShapes("ecs").operation(operation)?.input ?? assert.fail();
}

function textFor(shape: StructureShape, input: object): string {
  return coralText(findViolations(shape, input));
}

test("coralText() names a missing member as coral does", () => {
  assert.equal(
    textFor(inputOf("RunTask"), {}),
    "1 validation error detected: Value null at 'taskDefinition' failed to satisfy constraint: Member must not be null",
  );
});

test("coralText() names a value outside an enum, and the enum", () => {
  assert.equal(
    textFor(inputOf("RunTask"), { taskDefinition: "web", launchType: "MOON" }),
    "1 validation error detected: Value 'MOON' at 'launchType' failed to satisfy constraint: " +
      "Member must satisfy enum value set: [EC2, EXTERNAL, FARGATE, MANAGED_INSTANCES]",
  );
});

test("coralText() counts list elements from one", () => {
  const input = {
    family: "web",
    containerDefinitions: [{ name: "a" }, { secrets: [{ name: "KEY" }] }],
  };
  assert.equal(
    textFor(inputOf("RegisterTaskDefinition"), input),
    "1 validation error detected: Value null at 'containerDefinitions.2.member.secrets.1.member.valueFrom' " +
      "failed to satisfy constraint: Member must not be null",
  );
});

test("coralText() reports a few of many mistakes", () => {
  const input = {
    family: "web",
    containerDefinitions: [],
    requiresCompatibilities: new Array(10_000).fill("x".repeat(1000)),
  };
  const text = textFor(inputOf("RegisterTaskDefinition"), input);
  assert.match(text, /^20 validation errors detected: /);
  assert.ok(text.length < 10_000);
});
