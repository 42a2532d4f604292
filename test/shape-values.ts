/** fast-check values of any shape of a service: what the round trips are fed with. */
import fc from "fast-check";
import type { Member, Shape, StructureShape } from "../src/door/shape.ts";

/** What can carry the values: some things only some formats can say. */
export interface ValueOptions {
  /**
   * `any`: whatever a reader understands. `sdk`: what the SDK's clients can send and take. `xml`: also what XML 1.0
   * can say. `query` and `ec2`: also what a form can say, which is nothing empty but lists, and for EC2 not these.
   */
  readonly within: "any" | "sdk" | "xml" | "query" | "ec2";
  /** Names of members that are never set. */
  readonly without?: readonly string[];
}

/** Characters that encodings get wrong: quotes, controls, two, three and four bytes of UTF-8. */
const XML_CHARACTERS = [..."aZ09 -_.~/+%&=?:\"\\'<>{}[]é€語😀"];
const CHARACTERS = [...XML_CHARACTERS, ..."\0\n\r\t\u007f\u0085\u2028Ä"];

/** Short texts of every kind of character. */
export const texts: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...CHARACTERS),
  maxLength: 12,
});

/** Without what XML readers trim: clients take the spaces of a text for indentation. */
const xmlTexts = fc
  .string({ unit: fc.constantFrom(...XML_CHARACTERS), maxLength: 12 })
  .map((text) => text.trim());

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
        { minLength: options.within === "ec2" ? 1 : 0, maxLength: 2 },
      );
    case "map":
      return fc.dictionary(
        keys(options),
        fc.constant(0).chain(() => valuesAt(shape.value, options, depth + 1)),
        { minKeys: isForm(options) ? 1 : 0, maxKeys: 2, noNullPrototype: true },
      );
    case "string":
      return options.within === "any" || options.within === "sdk" ? texts : xmlTexts;
    case "enum":
      return fc.constantFrom(...shape.values);
    case "integer":
      return fc.maxSafeInteger();
    case "fractional":
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
    case "document":
      return fc.dictionary(keys(options), fc.oneof(fc.string(), fc.boolean()), { maxKeys: 2 });
  }
}

function structureValues(
  shape: StructureShape,
  options: ValueOptions,
  depth: number,
): fc.Arbitrary<Record<string, unknown>> {
  const members = shape.members.filter((member) => canBeSet(member, options));
  const value = (member: Member): fc.Arbitrary<unknown> =>
    fc.constant(0).chain(() => {
      // A path has no room for nothing, nor for dots that mean another path.
      if (member.location === "label") return texts.filter((text) => !/^\.{0,2}$/.test(text));
      // The query of a URL cannot say an empty list, just like EC2's forms.
      const isQuery = member.location === "query" && options.within !== "any";
      return valuesAt(member.shape, isQuery ? { within: "ec2" } : options, depth);
    });
  if (shape.kind === "union") {
    return fc
      .constantFrom(...members)
      .chain((member) => value(member).map((one) => ({ [member.name]: one })));
  }
  const required = members.filter(isAlwaysSet);
  if (required.length === 0 && isForm(options) && depth > 0) {
    const [least] = members.toSorted((a, b) => weight(a) - weight(b));
    if (least !== undefined) required.push(least);
  }
  const kept = depth > OPTIONAL_DEPTH_MAX ? required : members;
  return fc.record(Object.fromEntries(kept.map((member) => [member.name, value(member)])), {
    requiredKeys: required.map(({ name }) => name),
    noNullPrototype: true,
  }) as fc.Arbitrary<Record<string, unknown>>;
}

/** The SDK invents an idempotency token where none is given. */
function isAlwaysSet({ required, traits }: Member): boolean {
  const isToken =
    typeof traits === "number" ? (traits & IDEMPOTENCY_TOKEN) !== 0 : "idempotencyToken" in traits;
  return required || isToken;
}

/** A form cannot say a structure that has no members. */
function canBeSet({ name, shape }: Member, options: ValueOptions): boolean {
  if (options.without?.includes(name)) return false;
  return !(isForm(options) && shape.kind === "structure" && shape.members.length === 0);
}

function weight({ shape }: Member): number {
  if (shape.kind === "structure" || shape.kind === "union") return 2;
  return shape.kind === "list" || shape.kind === "map" ? 1 : 0;
}

function isForm({ within }: ValueOptions): boolean {
  return within === "query" || within === "ec2";
}

function keys({ within }: ValueOptions): fc.Arbitrary<string> {
  const plain = fc.stringMatching(/^[\w.-]{1,8}$/).filter((key) => key !== "__proto__");
  if (within !== "any") return plain;
  // V8 13.6 takes a name with an escape for one that it has met at the same place and that ends with a backslash.
  const readable = texts.filter((text) => !text.endsWith("\\"));
  return fc.oneof(plain, fc.constantFrom("__proto__", "constructor", "toString", ""), readable);
}

function numbers({ within }: ValueOptions): fc.Arbitrary<number> {
  // Beyond this the SDK's client answers a bigint for what has no fraction.
  const bound = within === "any" ? Number.MAX_VALUE : 2 ** 50;
  const finite = fc.oneof(
    fc.maxSafeInteger(),
    // Plus zero, because JSON has no negative one.
    fc.double({ min: -bound, max: bound, noNaN: true }).map((value) => value + 0),
  );
  if (within !== "any") return finite;
  return fc.oneof(finite, fc.constantFrom(Number.NaN, Infinity, -Infinity));
}
