/** The generic check of an input against its shape: required members and enum values, in the words of AWS (coral). */
import { ApiError } from "../lib/errors.ts";
import { SHOWN_VALUE_LENGTH_MAX, VIOLATIONS_MAX } from "./limits.ts";
import type { Shape, StructureShape } from "./shape.ts";

/** A required member that is missing, or a value outside its enum. */
export interface Violation {
  /** `containerDefinitions.2.member.name`: coral writes the first letter of every member small. */
  readonly path: string;
  /** `undefined`: the member is missing. */
  readonly value: string | undefined;
  /** What it may be, for an enum. */
  readonly allowed: ReadonlySet<string>;
}

/** What is wrong with `input`, up to a limit; empty when it is valid. */
export function findViolations(shape: StructureShape, input: object): readonly Violation[] {
  const found: Violation[] = [];
  checkStructure(shape, input as Record<string, unknown>, undefined, found);
  return found;
}

/** "2 validation errors detected: Value null at 'a' failed to satisfy constraint: Member must not be null; …" */
export function coralText(violations: readonly Violation[]): string {
  const noun = violations.length === 1 ? "error" : "errors";
  const texts = violations.map(({ path, value, allowed }) => {
    const shown = value === undefined ? "null" : `'${value.slice(0, SHOWN_VALUE_LENGTH_MAX)}'`;
    const must =
      value === undefined ? "not be null" : `satisfy enum value set: [${[...allowed].join(", ")}]`;
    return `Value ${shown} at '${path}' failed to satisfy constraint: Member must ${must}`;
  });
  return `${violations.length} validation ${noun} detected: ${texts.join("; ")}`;
}

/** EC2 names the first parameter that is wrong. */
export function ec2Error({ path, value }: Violation): ApiError {
  const flat = path.replaceAll(".member", "");
  const parameter = flat.replaceAll(/(^|\.)[a-z]/g, (part) => part.toUpperCase());
  if (value === undefined) {
    return new ApiError("MissingParameter", `The request must contain the parameter ${parameter}`);
  }
  const shown = value.slice(0, SHOWN_VALUE_LENGTH_MAX);
  return new ApiError(
    "InvalidParameterValue",
    `Value (${shown}) for parameter ${parameter} is invalid.`,
  );
}

const NOTHING: ReadonlySet<string> = new Set();

/** Where a value stands. Its text is made only when there is something to say of it. */
interface Place {
  readonly parent: Place | undefined;
  /** Of a structure. */
  readonly member?: string;
  /** Of a list, from 1, or of a map. */
  readonly element?: number | string;
}

function checkStructure(
  shape: StructureShape,
  value: Record<string, unknown>,
  parent: Place | undefined,
  found: Violation[],
): void {
  for (const member of shape.members) {
    const element = value[member.name];
    if (element === undefined) {
      if (member.required && found.length < VIOLATIONS_MAX) {
        const path = pathOf({ parent, member: member.name });
        found.push({ path, value: undefined, allowed: NOTHING });
      }
    } else if (mayViolate(member.shape)) {
      check(member.shape, element, { parent, member: member.name }, found);
    }
  }
}

function check(shape: Shape, value: unknown, place: Place, found: Violation[]): void {
  if (found.length >= VIOLATIONS_MAX) return;
  switch (shape.kind) {
    case "structure":
    case "union":
      checkStructure(shape, value as Record<string, unknown>, place, found);
      return;
    case "list":
      for (const [index, element] of (value as unknown[]).entries()) {
        check(shape.item, element, { parent: place, element: index + 1 }, found);
      }
      return;
    case "map":
      for (const [key, element] of Object.entries(value as Record<string, unknown>)) {
        check(shape.value, element, { parent: place, element: key }, found);
      }
      return;
    case "enum":
      if (!shape.values.has(value as string)) {
        found.push({ path: pathOf(place), value: value as string, allowed: shape.values });
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

function pathOf({ parent, member, element }: Place): string {
  const step =
    member === undefined ? `${element}.member` : member.charAt(0).toLowerCase() + member.slice(1);
  return parent === undefined ? step : `${pathOf(parent)}.${step}`;
}
