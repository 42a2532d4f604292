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

/** Where in an HTTP request a member stands; in the RPC protocols everything is `body`. */
export type Location = "body" | "label" | "query" | "payload";

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

  /** The element's name in the XML of the query protocols, and the key's in forms of awsQuery. */
  get xmlName(): string {
    return textTrait(this.traits, "xmlName") ?? this.name;
  }

  /** The key's name in forms of ec2Query. */
  get ec2Name(): string {
    const { xmlName } = this;
    const capitalised = xmlName.charAt(0).toUpperCase() + xmlName.slice(1);
    return textTrait(this.traits, "ec2QueryName") ?? capitalised;
  }

  get location(): Location {
    if (typeof this.traits !== "number") return this.queryKey === undefined ? "body" : "query";
    if (this.traits & LABEL_BIT) return "label";
    return this.traits & PAYLOAD_BIT ? "payload" : "body";
  }

  /** The parameter of the URL's query, for members that stand there. */
  get queryKey(): string | undefined {
    return textTrait(this.traits, "httpQuery");
  }
}

const LABEL_BIT = 1;
const PAYLOAD_BIT = 16;

export class ListShape {
  readonly kind = "list";
  /** Of each element in XML, and in the keys of awsQuery forms. */
  readonly itemName: string;
  readonly #ref: Ref;
  readonly #resolve: Resolve;
  #item: Shape | undefined;

  constructor(item: Ref, resolve: Resolve) {
    this.itemName = (typeof item === "object" && textTrait(item[1], "xmlName")) || "member";
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
  readonly #ref: Ref;
  readonly #resolve: Resolve;
  #value: Shape | undefined;

  constructor(value: Ref, resolve: Resolve) {
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
  | {
      readonly kind:
        | "string"
        | "integer"
        | "fractional"
        | "boolean"
        | "timestamp"
        | "blob"
        | "document";
    }
  | { readonly kind: "enum"; readonly values: ReadonlySet<string> };

export interface OperationShape {
  readonly name: string;
  readonly input: StructureShape;
  readonly output: StructureShape;
  /** For REST. */
  readonly http: HttpBinding | undefined;
  /** The member of the output that is a stream of events. */
  readonly eventStream: Member | undefined;
}

export interface HttpBinding {
  readonly method: string;
  /** `/v20190125/meshes/{meshName}`. */
  readonly path: string;
  readonly status: number;
}

/** What a model says of an exception beside its members. */
export interface ExceptionTraits {
  readonly fault: "client" | "server";
  readonly httpStatus: number | undefined;
  /** Code and status in the query protocols, where they differ from the shape's name and `httpStatus`. */
  readonly query: readonly [code: string, status: number] | undefined;
}

/** The traits of an exception's shape. */
export function exceptionTraits({ traits }: StructureShape): ExceptionTraits {
  const { error, httpError, awsQueryError } = typeof traits === "object" ? traits : {};
  return {
    fault: error === "server" ? "server" : "client",
    httpStatus: httpError as number | undefined,
    query: awsQueryError as ExceptionTraits["query"],
  };
}

const SIMPLE: ReadonlyMap<number, SimpleShape> = new Map<number, SimpleShape>([
  [SENTINEL.string, { kind: "string" }],
  [SENTINEL.integer, { kind: "integer" }],
  [SENTINEL.fractional, { kind: "fractional" }],
  [SENTINEL.boolean, { kind: "boolean" }],
  [SENTINEL.timestamp, { kind: "timestamp" }],
  [SENTINEL.document, { kind: "document" }],
  [SENTINEL.blob, { kind: "blob" }],
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
  readonly version: string;
  readonly namespace: string;
  readonly xmlNamespace: string;
  readonly #file: ShapesFile;
  readonly #nameOnly: ReadonlySet<string>;
  readonly #operations = new Map<string, OperationShape>();
  readonly #shapes = new Map<string, Shape>();

  constructor(file: ShapesFile) {
    this.#file = file;
    this.target = file.target;
    this.protocol = file.protocol;
    this.version = file.version;
    this.namespace = file.namespace;
    this.xmlNamespace = file.xmlNamespace ?? "";
    this.#nameOnly = new Set(file.nameOnly);
  }

  /** The names of all operations whose shapes are here, sorted. */
  operationNames(): readonly string[] {
    return Object.keys(this.#file.operations);
  }

  /** The names of the operations that AWS has beside those, sorted. */
  nameOnlyOperations(): readonly string[] {
    return [...this.#nameOnly];
  }

  /** Whether AWS has the operation, though its shapes were left out. */
  isNameOnly(name: string): boolean {
    return this.#nameOnly.has(name);
  }

  /** `undefined` when AWS has no such operation, or its shapes were left out. */
  operation(name: string): OperationShape | undefined {
    const known = this.#operations.get(name);
    if (known !== undefined) return known;
    if (!Object.hasOwn(this.#file.operations, name)) return undefined;
    const [traits, inputRef, outputRef] = this.#file.operations[name] ?? [0, "Unit", "Unit"];
    const [input, output] = [this.#structure(inputRef), this.#structure(outputRef)];
    const shape = {
      name,
      input,
      output,
      http: httpBinding(traits),
      eventStream: output.members.find((member) => isEventStream(member.shape)),
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
        return new ListShape(tuple[2], resolve);
      case 2:
        return new MapShape(tuple[3], resolve);
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

function httpBinding(traits: Traits): HttpBinding | undefined {
  const http = typeof traits === "object" ? traits.http : undefined;
  if (http === undefined) return undefined;
  const [method, path, status] = http as readonly [string, string, number];
  return { method, path, status };
}

function isEventStream(shape: Shape): boolean {
  return shape.kind === "union" && typeof shape.traits === "object" && "streaming" in shape.traits;
}

function textTrait(traits: Traits, name: string): string | undefined {
  return typeof traits === "object" ? (traits[name] as string | undefined) : undefined;
}
