/** The generic check of an input against its shape: required members and enum values, in the words of AWS (coral). */
import { SHOWN_VALUE_LENGTH_MAX, VIOLATIONS_MAX } from "./limits.ts";
import type { Shape, StructureShape } from "./shape.ts";

/** `undefined` when `input` is valid, else "2 validation errors detected: Value null at 'a' failed to …; …". */
export function findViolations(shape: StructureShape, input: object): string | undefined {
  const found: string[] = [];
  checkStructure(shape, input as Record<string, unknown>, "", found);
  if (found.length === 0) return undefined;
  const noun = found.length === 1 ? "error" : "errors";
  return `${found.length} validation ${noun} detected: ${found.join("; ")}`;
}

function checkStructure(
  shape: StructureShape,
  value: Record<string, unknown>,
  path: string,
  found: string[],
): void {
  for (const member of shape.members) {
    const element = value[member.name];
    if (element === undefined) {
      if (member.required) violation(found, "null", join(path, member.name), "not be null");
    } else if (mayViolate(member.shape)) {
      check(member.shape, element, join(path, member.name), found);
    }
  }
}

function check(shape: Shape, value: unknown, path: string, found: string[]): void {
  if (found.length >= VIOLATIONS_MAX) return;
  switch (shape.kind) {
    case "structure":
    case "union":
      checkStructure(shape, value as Record<string, unknown>, path, found);
      return;
    case "list":
      for (const [index, element] of (value as unknown[]).entries()) {
        if (element !== null) check(shape.item, element, `${path}.${index + 1}.member`, found);
      }
      return;
    case "map":
      for (const [key, element] of Object.entries(value as Record<string, unknown>)) {
        if (element !== null) check(shape.value, element, `${path}.${key}.member`, found);
      }
      return;
    case "enum":
      if (!shape.values.has(value as string)) {
        const shown = `'${String(value).slice(0, SHOWN_VALUE_LENGTH_MAX)}'`;
        const set = [...shape.values].join(", ");
        violation(found, shown, path, `satisfy enum value set: [${set}]`);
      }
      return;
    default:
      return;
  }
}

/** Scalars other than enums cannot be wrong any more once they are read: long lists of them are not walked. */
function mayViolate(shape: Shape): boolean {
  if (shape.kind === "list") return mayViolate(shape.item);
  if (shape.kind === "map") return mayViolate(shape.value);
  return shape.kind === "structure" || shape.kind === "union" || shape.kind === "enum";
}

function violation(found: string[], shown: string, path: string, must: string): void {
  if (found.length >= VIOLATIONS_MAX) return;
  found.push(`Value ${shown} at '${path}' failed to satisfy constraint: Member must ${must}`);
}

/** Coral writes the first letter of every member small, whatever the model says. */
function join(path: string, member: string): string {
  const name = member.charAt(0).toLowerCase() + member.slice(1);
  return path === "" ? name : `${path}.${name}`;
}
