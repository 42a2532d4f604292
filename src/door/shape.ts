/**
 * The shapes of one service as linked objects. Linking is lazy: a shape is built when an operation that uses it is
 * first called, because a service has hundreds and a server uses few.
 */
import { assert } from "../lib/errors.ts";
import {
  type Ref,
  SENTINEL,
  type ShapesFile,
  type ShapeTuple,
  type Traits,
} from "./shapes-file.ts";

export type Shape = StructureShape | ListShape | MapShape | SimpleShape;

type Resolve = (ref: Ref) => Shape;

/** One member of a structure. Getters, here and below, because shapes may refer to themselves. */
export class Member {
  readonly name: string;
  readonly required: boolean;
  readonly traits: Traits;
  readonly #ref: Ref;
  readonly #resolve: Resolve;
  #shape: Shape | undefined;

  constructor(name: string, ref: Ref, required: boolean, resolve: Resolve) {
    this.name = name;
    this.required = required;
    this.traits = typeof ref === "object" ? ref[1] : 0;
    this.#ref = ref;
    this.#resolve = resolve;
  }

  get shape(): Shape {
    this.#shape ??= this.#resolve(this.#ref);
    return this.#shape;
  }
}

export class ListShape {
  readonly kind = "list";
  /** Whether `null` is an element and not an absent one. */
  readonly sparse: boolean;
  readonly #ref: Ref;
  readonly #resolve: Resolve;
  #item: Shape | undefined;

  constructor(item: Ref, resolve: Resolve, traits: Traits = 0) {
    this.sparse = isSparse(traits);
    this.#ref = item;
    this.#resolve = resolve;
  }

  get item(): Shape {
    this.#item ??= this.#resolve(this.#ref);
    return this.#item;
  }
}

/** Keys are always strings in the services here; an enum's values are not enforced on them. */
export class MapShape {
  readonly kind = "map";
  readonly sparse: boolean;
  readonly #ref: Ref;
  readonly #resolve: Resolve;
  #value: Shape | undefined;

  constructor(value: Ref, resolve: Resolve, traits: Traits = 0) {
    this.sparse = isSparse(traits);
    this.#ref = value;
    this.#resolve = resolve;
  }

  get value(): Shape {
    this.#value ??= this.#resolve(this.#ref);
    return this.#value;
  }
}

/** A structure, a union (exactly one member is set) or an exception. */
export interface StructureShape {
  readonly kind: "structure" | "union";
  readonly name: string;
  readonly traits: Traits;
  readonly members: readonly Member[];
  readonly byName: ReadonlyMap<string, Member>;
}

export type SimpleShape =
  | { readonly kind: "string" | "number" | "boolean" | "bigInteger" | "bigDecimal" }
  | { readonly kind: "blob" | "document" }
  | { readonly kind: "enum"; readonly values: ReadonlySet<string> }
  | { readonly kind: "timestamp"; readonly format: TimestampFormat };

/** `default`: whatever the protocol uses where the model says nothing. */
export type TimestampFormat = "default" | "dateTime" | "httpDate" | "epochSeconds";

export interface OperationShape {
  readonly name: string;
  readonly traits: Traits;
  readonly input: StructureShape;
  readonly output: StructureShape;
}

const SIMPLE: ReadonlyMap<number, SimpleShape> = new Map<number, SimpleShape>([
  [SENTINEL.string, { kind: "string" }],
  [SENTINEL.number, { kind: "number" }],
  [SENTINEL.boolean, { kind: "boolean" }],
  [SENTINEL.timestamp, { kind: "timestamp", format: "default" }],
  [SENTINEL.dateTime, { kind: "timestamp", format: "dateTime" }],
  [SENTINEL.httpDate, { kind: "timestamp", format: "httpDate" }],
  [SENTINEL.epochSeconds, { kind: "timestamp", format: "epochSeconds" }],
  [SENTINEL.document, { kind: "document" }],
  [SENTINEL.bigInteger, { kind: "bigInteger" }],
  [SENTINEL.bigDecimal, { kind: "bigDecimal" }],
  [SENTINEL.blob, { kind: "blob" }],
  [SENTINEL.streamingBlob, { kind: "blob" }],
]);

const UNIT: StructureShape = {
  kind: "structure",
  name: "Unit",
  traits: 0,
  members: [],
  byName: new Map(),
};

/** Every shape of one service, built on first use and then kept. */
export class ServiceShapes {
  readonly target: string;
  readonly protocol: string;
  readonly #file: ShapesFile;
  readonly #operations = new Map<string, OperationShape>();
  readonly #shapes = new Map<string, Shape>();

  constructor(file: ShapesFile) {
    this.#file = file;
    this.target = file.target;
    this.protocol = file.protocol;
  }

  /** The names of all operations that AWS has, sorted. */
  operationNames(): readonly string[] {
    return Object.keys(this.#file.operations);
  }

  /** `undefined` when AWS has no such operation. */
  operation(name: string): OperationShape | undefined {
    const known = this.#operations.get(name);
    if (known !== undefined) return known;
    if (!Object.hasOwn(this.#file.operations, name)) return undefined;
    const [traits, input, output] = this.#file.operations[name] ?? [0, "Unit", "Unit"];
    const shape = {
      name,
      traits,
      input: this.#structure(input),
      output: this.#structure(output),
    };
    this.#operations.set(name, shape);
    return shape;
  }

  /** The exception of that name, where the service models it. */
  exception(name: string): StructureShape | undefined {
    if (!Object.hasOwn(this.#file.shapes, name)) return undefined;
    if (this.#file.shapes[name]?.[0] !== -3) return undefined;
    return this.#structure(name);
  }

  #structure(ref: Ref): StructureShape {
    const shape = this.#resolve(ref);
    assert(shape.kind === "structure", `${JSON.stringify(ref)} is not a structure`);
    return shape;
  }

  #resolve(ref: Ref): Shape {
    if (typeof ref === "number") return resolveSentinel(ref, (inner) => this.#resolve(inner));
    if (typeof ref !== "string") return this.#resolve(ref[0]);
    const known = this.#shapes.get(ref);
    if (known !== undefined) return known;
    const shape = this.#build(ref);
    this.#shapes.set(ref, shape);
    return shape;
  }

  #build(name: string): Shape {
    if (name === "Unit") return UNIT;
    const resolve: Resolve = (ref) => this.#resolve(ref);
    if (name.endsWith("[]")) return new ListShape(name.slice(0, -2), resolve);
    const tuple = this.#file.shapes[name];
    assert(tuple !== undefined, `shape ${name} is missing`);
    switch (tuple[0]) {
      case 0:
        return resolveSentinel(tuple[2], resolve);
      case "enum":
        return { kind: "enum", values: new Set(tuple[2]) };
      case 1:
        return new ListShape(tuple[2], resolve, tuple[1]);
      case 2:
        return new MapShape(tuple[3], resolve, tuple[1]);
      default:
        return structure(name, tuple, resolve);
    }
  }
}

function structure(
  name: string,
  tuple: Extract<ShapeTuple, readonly [3 | 4 | -3, ...unknown[]]>,
  resolve: Resolve,
): StructureShape {
  const [kind, traits, refs, requiredCount] = tuple;
  const members = refs.map(
    ([member, ref], at) => new Member(member, ref, at < requiredCount, resolve),
  );
  const byName = new Map(members.map((member) => [member.name, member]));
  return { kind: kind === 4 ? "union" : "structure", name, traits, members, byName };
}

function resolveSentinel(sentinel: number, resolve: Resolve): Shape {
  const { listOf, mapOf } = SENTINEL;
  if (sentinel & mapOf) return new MapShape(sentinel & ~mapOf, resolve);
  if (sentinel & listOf) return new ListShape(sentinel & ~listOf, resolve);
  const simple = SIMPLE.get(sentinel);
  assert(simple !== undefined, `unknown sentinel ${sentinel}`);
  return simple;
}

function isSparse(traits: Traits): boolean {
  return typeof traits === "object" && traits.sparse !== undefined;
}
