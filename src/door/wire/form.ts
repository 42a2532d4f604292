/**
 * Inputs of the query protocols: `Name.member.1.Key=value` pairs of a form.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html, https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
 */
import { isUtf8 } from "node:buffer";
import { serialization } from "../errors.ts";
import { FORM_NODES_MAX, VALUE_DEPTH_MAX } from "../limits.ts";
import type { ListShape, MapShape, Member, Shape, StructureShape } from "../shape.ts";
import { readText } from "./text.ts";
import { checkUnion, tooDeep } from "./tree.ts";

/** What stands at one key: a value, and what stands at the longer keys that begin with it. */
export interface FormNode {
  value: string | undefined;
  children: Map<string, FormNode> | undefined;
}

/** Where the two protocols differ. */
export interface FormDialect {
  readonly keyOf: (member: Member) => string;
  /** EC2 numbers a list's elements directly behind its key; awsQuery has the element's name in between. */
  readonly isListFlat: boolean;
}

export const QUERY_DIALECT: FormDialect = {
  keyOf: (member) => member.xmlName,
  isListFlat: false,
};

export const EC2_DIALECT: FormDialect = { keyOf: (member) => member.ec2Name, isListFlat: true };

type Pair = readonly [name: string, value: string];

/** The decoded pairs of a form, one by one: there may be millions. Throws `SerializationException`. */
export function* parseForm(body: Uint8Array): Generator<Pair> {
  if (!isUtf8(body)) throw serialization("The request body is not UTF-8");
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  let start = 0;
  while (start < text.length) {
    const ampersand = text.indexOf("&", start);
    const end = ampersand < 0 ? text.length : ampersand;
    if (end > start) yield parsePair(text.slice(start, end));
    start = end + 1;
  }
}

function parsePair(pair: string): Pair {
  const equals = pair.indexOf("=");
  if (equals < 0) return [decode(pair), ""];
  return [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))];
}

function decode(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw serialization("The form is not percent-encoded UTF-8");
  }
}

/** Pairs as a tree by the parts of their keys. Throws `SerializationException`. */
export function formTree(...sources: readonly Iterable<Pair>[]): FormNode {
  const root = emptyNode();
  let count = 0;
  for (const pairs of sources) {
    for (const [name, value] of pairs) {
      let node = root;
      for (const part of name.split(".")) {
        node.children ??= new Map();
        let child = node.children.get(part);
        if (child === undefined) {
          count += 1;
          if (count > FORM_NODES_MAX) throw serialization("The form has too many parameters");
          child = emptyNode();
          node.children.set(part, child);
        }
        node = child;
      }
      if (node.value !== undefined && node.value !== value) {
        throw serialization("A parameter is given twice");
      }
      node.value = value;
    }
  }
  return root;
}

function emptyNode(): FormNode {
  return { value: undefined, children: undefined };
}

/** A structure from its node. Throws `SerializationException`. */
export function readForm(
  shape: StructureShape,
  node: FormNode,
  dialect: FormDialect,
  depthLeft: number = VALUE_DEPTH_MAX,
): Record<string, unknown> {
  if (depthLeft === 0) throw tooDeep();
  const result: Record<string, unknown> = {};
  let count = 0;
  for (const member of shape.members) {
    const child = node.children?.get(dialect.keyOf(member));
    if (child === undefined) continue;
    result[member.name] = readNode(member.shape, child, dialect, depthLeft - 1);
    count += 1;
  }
  if (shape.kind === "union") checkUnion(shape, count);
  return result;
}

function readNode(shape: Shape, node: FormNode, dialect: FormDialect, depthLeft: number): unknown {
  switch (shape.kind) {
    case "structure":
    case "union":
      return readForm(shape, node, dialect, depthLeft);
    case "list":
      return readList(shape, node, dialect, depthLeft);
    case "map":
      return readMap(shape, node, dialect, depthLeft);
    default:
      if (node.value === undefined) {
        throw serialization("Start of structure or map found where not expected.");
      }
      return readText(shape, node.value);
  }
}

/** `Key=` with nothing behind it is an empty list. */
function readList(
  shape: ListShape,
  node: FormNode,
  dialect: FormDialect,
  depthLeft: number,
): unknown[] {
  if (depthLeft === 0) throw tooDeep();
  if (node.value !== undefined && node.value !== "") {
    throw serialization("Expected list or null");
  }
  const elements = dialect.isListFlat ? node : node.children?.get(shape.itemName);
  return byIndex(elements).map((child) => readNode(shape.item, child, dialect, depthLeft - 1));
}

function readMap(
  shape: MapShape,
  node: FormNode,
  dialect: FormDialect,
  depthLeft: number,
): Record<string, unknown> {
  if (depthLeft === 0) throw tooDeep();
  const result: Record<string, unknown> = Object.create(null);
  for (const entry of byIndex(node.children?.get("entry"))) {
    const key = entry.children?.get("key")?.value;
    const value = entry.children?.get("value");
    if (key === undefined) throw serialization("A map's entry has no key");
    if (value !== undefined) result[key] = readNode(shape.value, value, dialect, depthLeft - 1);
  }
  return result;
}

/** The children in the order of their numbers, which need not be complete. */
function byIndex(node: FormNode | undefined): FormNode[] {
  if (node?.children === undefined) return [];
  return [...node.children]
    .map(([index, child]) => {
      if (!/^\d{1,9}$/.test(index)) throw serialization("The index of a list is not a number");
      return { index: Number(index), child };
    })
    .sort((a, b) => a.index - b.index)
    .map(({ child }) => child);
}
