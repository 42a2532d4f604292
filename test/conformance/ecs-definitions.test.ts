/** Tier 5: task definitions of every kind through the real SDK and door. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  DescribeTaskDefinitionCommand,
  RegisterTaskDefinitionCommand,
} from "@aws-sdk/client-ecs";
import fc from "fast-check";
import { loadShapes } from "../../src/door/service-table.ts";
import type { Shape } from "../../src/door/shape.ts";
import { definitions } from "../definition-values.ts";
import { openEcsDoor } from "./ecs-kit.ts";

const RUNS = 60;

/** Members that AWS no longer takes from anyone. */
const GONE = /^inferenceAccelerators/;

test("every valid definition comes back without loss", async () => {
  await using door = await openEcsDoor();
  await fc.assert(
    fc.asyncProperty(definitions, async (definition) => {
      const { tags = [], ...document } = definition;
      const registered = await door.ecs.send(new RegisterTaskDefinitionCommand(definition));
      const arn = registered.taskDefinition?.taskDefinitionArn ?? "";
      const described = await door.ecs.send(
        new DescribeTaskDefinitionCommand({ taskDefinition: arn, include: ["TAGS"] }),
      );
      assert.deepEqual(lost(tags, described.tags, "tags"), []);
      assert.deepEqual(described.taskDefinition, registered.taskDefinition);
      assert.deepEqual(lost(document, described.taskDefinition, ""), []);
    }),
    { numRuns: RUNS },
  );
});

test("a definition is taken as Terraform sends it, with what it says of what nobody has asked for", async () => {
  await using door = await openEcsDoor();
  const { taskDefinition } = await door.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: "terraform",
      volumes: [
        { name: "scratch", configuredAtLaunch: false },
        {
          name: "docker",
          configuredAtLaunch: false,
          dockerVolumeConfiguration: { autoprovision: false, driver: "local" },
        },
      ],
      containerDefinitions: [
        {
          name: "web",
          image: "hello",
          memory: 64,
          portMappings: [
            { containerPort: 53, hostPort: 53, protocol: "http" as "tcp" },
            { containerPort: 53, hostPort: 53, protocol: "udp" },
          ],
        },
      ],
    }),
  );
  const [scratch, docker] = taskDefinition?.volumes ?? [];
  assert.deepEqual(scratch, { name: "scratch", configuredAtLaunch: false, host: {} });
  assert.equal(docker?.dockerVolumeConfiguration?.autoprovision, false);
  const mappings = taskDefinition?.containerDefinitions?.[0]?.portMappings;
  assert.deepEqual(
    mappings?.map(({ containerPort, protocol }) => [containerPort, protocol]),
    [
      [53, "tcp"],
      [53, "udp"],
    ],
  );
});

test("what is generated has every member that the SDK knows", () => {
  const shape = loadShapes("ecs").operation("RegisterTaskDefinition")?.input;
  assert.ok(shape);
  const seen = new Set<string>();
  for (const definition of fc.sample(definitions, 500)) collectPaths(definition, "", seen);
  const missing = pathsOf(shape, "").filter((path) => !GONE.test(path) && !seen.has(path));
  assert.deepEqual(missing, []);
});

test("a revision goes from ACTIVE to its deletion", async () => {
  await using door = await openEcsDoor();
  const containerDefinitions = [{ name: "web", image: "hello", memory: 64 }];
  await door.ecs.send(new RegisterTaskDefinitionCommand({ family: "old", containerDefinitions }));
  const { taskDefinition } = await door.ecs.send(
    new DeregisterTaskDefinitionCommand({ taskDefinition: "old:1" }),
  );
  assert.equal(taskDefinition?.status, "INACTIVE");
  const { taskDefinitions, failures } = await door.ecs.send(
    new DeleteTaskDefinitionsCommand({ taskDefinitions: ["old:1", "old:2"] }),
  );
  assert.equal(taskDefinitions?.[0]?.status, "DELETE_IN_PROGRESS");
  assert.equal(taskDefinitions?.[0]?.deleteRequestedAt?.getTime(), door.world.clock.now());
  assert.deepEqual(
    failures?.map(({ arn }) => arn),
    ["old:2"],
  );
});

/** Paths at which `answer` lacks something of `given`. Defaults that were added are no loss. */
function lost(given: unknown, answer: unknown, path: string): string[] {
  if (typeof given !== "object" || given === null) return given === answer ? [] : [path];
  if (typeof answer !== "object" || answer === null) return [path];
  if (Array.isArray(given) && given.length !== (answer as unknown[]).length) return [path];
  return Object.entries(given).flatMap(([name, value]) =>
    lost(value, (answer as Record<string, unknown>)[name], `${path}/${name}`),
  );
}

/** Paths of members, the same for all elements of a list. */
function collectPaths(value: unknown, path: string, into: Set<string>): void {
  if (Array.isArray(value)) for (const element of value) collectPaths(element, path, into);
  else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      into.add(join(path, name));
      collectPaths(member, join(path, name), into);
    }
  }
}

function pathsOf(shape: Shape, path: string): string[] {
  if (shape.kind === "list") return pathsOf(shape.item, path);
  if (shape.kind !== "structure") return [];
  return shape.members.flatMap((member) => [
    join(path, member.name),
    ...pathsOf(member.shape, join(path, member.name)),
  ]);
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
