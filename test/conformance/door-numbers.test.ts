/** Which numbers are integers: the SDK's packages do not say, botocore's models do. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { loadShapes, SERVICE_TABLE } from "../../src/door/service-table.ts";
import type { Shape, StructureShape } from "../../src/door/shape.ts";
import { PYTHON, skipWithoutBotocore as skip } from "./botocore-kit.ts";

test("which numbers may have a fraction is what botocore's models say", { skip }, () => {
  const program = `
import json, botocore.loaders
names = json.loads(input())
loader = botocore.loaders.Loader()
print(json.dumps({name: loader.load_service_model(name, "service-2")["shapes"] for name in names}))`;
  const { stdout } = spawnSync(PYTHON, ["-c", program], {
    input: JSON.stringify(SERVICE_TABLE.map(({ name }) => name)),
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const models = JSON.parse(stdout) as Record<string, Record<string, BotocoreShape>>;
  const wrong: string[] = [];
  for (const { name: service } of SERVICE_TABLE) {
    const theirs = models[service] ?? assert.fail(service);
    for (const { name, members } of structuresOf(service)) {
      for (const member of members) {
        const shape = theirs[name]?.members?.[member.name]?.shape;
        const [own, their] = [numberIn(member.shape), shape && botocoreNumber(theirs, shape)];
        if (own && their && own !== their) wrong.push(`${service} ${name}.${member.name}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

interface BotocoreShape {
  readonly type: string;
  readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  readonly member?: { readonly shape: string };
  readonly value?: { readonly shape: string };
}

/** Of a number, or a list or map of them; botocore calls a list's item and a map's value by the names of their shapes. */
function botocoreNumber(
  shapes: Readonly<Record<string, BotocoreShape>>,
  name: string,
): "integer" | "fractional" | undefined {
  const { type, member, value } = shapes[name] ?? assert.fail(name);
  if (type === "integer" || type === "long") return "integer";
  if (type === "float" || type === "double") return "fractional";
  const inner = type === "list" ? member : type === "map" ? value : undefined;
  return inner && botocoreNumber(shapes, inner.shape);
}

function numberIn(shape: Shape): "integer" | "fractional" | undefined {
  if (shape.kind === "list") return numberIn(shape.item);
  if (shape.kind === "map") return numberIn(shape.value);
  return shape.kind === "integer" || shape.kind === "fractional" ? shape.kind : undefined;
}

/** All structures that the operations of a service lead to. */
function structuresOf(service: string): ReadonlySet<StructureShape> {
  const found = new Set<StructureShape>();
  const visit = (shape: Shape): void => {
    if (shape.kind === "list") visit(shape.item);
    if (shape.kind === "map") visit(shape.value);
    if ((shape.kind !== "structure" && shape.kind !== "union") || found.has(shape)) return;
    found.add(shape);
    for (const member of shape.members) visit(member.shape);
  };
  const shapes = loadShapes(service);
  for (const operation of shapes.operationNames()) {
    const { input, output } = shapes.operation(operation) ?? assert.fail();
    visit(input);
    visit(output);
  }
  return found;
}
