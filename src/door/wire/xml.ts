/** Outputs of the query protocols as XML. */
import type { ListShape, MapShape, Shape, StructureShape } from "../shape.ts";
import { writeText } from "./text.ts";
import { unknownMember, wrongKind } from "./tree.ts";

/** The elements of a structure's members, in the schema's order. `strict` throws for members it does not know. */
export function writeXmlMembers(
  shape: StructureShape,
  value: unknown,
  strict: boolean,
  path: string,
): string {
  if (typeof value !== "object" || value === null) throw wrongKind(shape, value, path);
  if (strict) {
    for (const name in value) {
      if (!shape.byName.has(name)) throw unknownMember(shape, name, path);
    }
  }
  let xml = "";
  for (const member of shape.members) {
    const element = (value as Record<string, unknown>)[member.name];
    if (element === undefined) continue;
    xml += writeElement(member.xmlName, member.shape, element, strict, member.name);
  }
  return xml;
}

/** One element with text in it. */
export function xmlElement(name: string, text: string): string {
  return `<${name}>${escapeXml(text)}</${name}>`;
}

function writeElement(
  name: string,
  shape: Shape,
  value: unknown,
  strict: boolean,
  path: string,
): string {
  switch (shape.kind) {
    case "structure":
    case "union":
      return `<${name}>${writeXmlMembers(shape, value, strict, path)}</${name}>`;
    case "list":
      return `<${name}>${writeList(shape, value, strict, path)}</${name}>`;
    case "map":
      return `<${name}>${writeMap(shape, value, strict, path)}</${name}>`;
    default:
      return xmlElement(name, writeText(shape, value, path));
  }
}

function writeList(shape: ListShape, value: unknown, strict: boolean, path: string): string {
  if (!Array.isArray(value)) throw wrongKind(shape, value, path);
  let xml = "";
  for (const element of value) {
    xml += writeElement(shape.itemName, shape.item, element, strict, path);
  }
  return xml;
}

function writeMap(shape: MapShape, value: unknown, strict: boolean, path: string): string {
  if (typeof value !== "object" || value === null) throw wrongKind(shape, value, path);
  let xml = "";
  for (const [key, element] of Object.entries(value)) {
    if (element === undefined) continue;
    const inner = writeElement("value", shape.value, element, strict, path);
    xml += `<entry>${xmlElement("key", key)}${inner}</entry>`;
  }
  return xml;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  // XML parsers turn these into a plain line end, or into a space.
  "\r": "&#xD;",
  "\n": "&#xA;",
  "\u0085": "&#x85;",
  "\u2028": "&#x2028;",
};

function escapeXml(text: string): string {
  return text.replace(/[&<>"\u2028\ufffe\uffff]|\p{Cc}|\p{Surrogate}/gu, escapeCharacter);
}

/** What XML 1.0 cannot carry in any form becomes U+FFFD; of the controls that is all below the space but three. */
function escapeCharacter(char: string): string {
  const isCarried = char === "\t" || (char >= "\u007f" && char <= "\u009f");
  return ESCAPES[char] ?? (isCarried ? char : "\ufffd");
}
