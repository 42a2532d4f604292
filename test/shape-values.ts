/** fast-check values of any shape of a service: what the round trips are fed with. */
import fc from "fast-check";
import type { Shape, StructureShape } from "../src/door/shape.ts";

export interface ValueOptions {
  /** Also values that JSON can carry and the SDK's client cannot: NaN, odd map keys. */
  readonly hostile: boolean;
}

/** Characters that encodings get wrong: quotes, controls, two, three and four bytes of UTF-8. */
const CHARACTERS = [..."aZ09 -_.~/+%&=?:\"\\'<>{}[]\0\n\r\t\u007f\u0085\u2028éÄ€語😀"];

/** Short texts of every kind of character. */
export const texts: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...CHARACTERS),
  maxLength: 12,
});

/** Below this depth only required members are set. */
const OPTIONAL_DEPTH_MAX = 5;
const IDEMPOTENCY_TOKEN = 4;

/** Values that a structure's schema allows. */
export function valuesOf(
  shape: StructureShape,
  options: ValueOptions,
): fc.Arbitrary<Record<string, unknown>> {
  return structureValues(shape, options, 0);
}

function valuesAt(shape: Shape, options: ValueOptions, depth: number): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case "structure":
    case "union":
      return structureValues(shape, options, depth + 1);
    case "list":
      return fc.array(
        fc.constant(0).chain(() => valuesAt(shape.item, options, depth + 1)),
        { maxLength: 2 },
      );
    case "map":
      return fc.dictionary(
        keys(options),
        fc.constant(0).chain(() => valuesAt(shape.value, options, depth + 1)),
        { maxKeys: 2, noNullPrototype: true },
      );
    case "string":
      return texts;
    case "enum":
      return fc.constantFrom(...shape.values);
    case "number":
    case "bigDecimal":
      return numbers(options);
    case "boolean":
      return fc.boolean();
    case "timestamp":
      return fc.date({
        min: new Date(0),
        max: new Date("2100-01-01T00:00:00.000Z"),
        noInvalidDate: true,
      });
    case "blob":
      return fc.uint8Array({ maxLength: 12 });
    case "bigInteger":
      return fc.maxSafeInteger().map(BigInt);
    case "document":
      return fc.dictionary(keys(options), fc.oneof(fc.string(), fc.boolean()), { maxKeys: 2 });
  }
}

function structureValues(
  shape: StructureShape,
  options: ValueOptions,
  depth: number,
): fc.Arbitrary<Record<string, unknown>> {
  const member = (name: string): fc.Arbitrary<unknown> =>
    fc.constant(0).chain(() => {
      const found = shape.byName.get(name);
      if (found === undefined) throw new Error(`no member ${name}`);
      return valuesAt(found.shape, options, depth);
    });
  const names = shape.members.map(({ name }) => name);
  if (shape.kind === "union") {
    return fc
      .constantFrom(...names)
      .chain((name) => member(name).map((value) => ({ [name]: value })));
  }
  // The SDK invents an idempotency token where none is given.
  const required = shape.members
    .filter(({ required, traits }) => required || traits === IDEMPOTENCY_TOKEN)
    .map(({ name }) => name);
  const kept = depth > OPTIONAL_DEPTH_MAX ? required : names;
  return fc.record(Object.fromEntries(kept.map((name) => [name, member(name)])), {
    requiredKeys: required,
    noNullPrototype: true,
  }) as fc.Arbitrary<Record<string, unknown>>;
}

function keys({ hostile }: ValueOptions): fc.Arbitrary<string> {
  const plain = fc.stringMatching(/^[\w.-]{1,8}$/).filter((key) => key !== "__proto__");
  if (!hostile) return plain;
  return fc.oneof(plain, fc.constantFrom("__proto__", "constructor", "toString", ""), texts);
}

function numbers({ hostile }: ValueOptions): fc.Arbitrary<number> {
  // Beyond this the SDK's client answers a bigint for what has no fraction.
  const bound = hostile ? Number.MAX_VALUE : 2 ** 50;
  const finite = fc.oneof(
    fc.maxSafeInteger(),
    // Plus zero, because JSON has no negative one.
    fc.double({ min: -bound, max: bound, noNaN: true }).map((value) => value + 0),
  );
  if (!hostile) return finite;
  return fc.oneof(finite, fc.constantFrom(Number.NaN, Infinity, -Infinity));
}
