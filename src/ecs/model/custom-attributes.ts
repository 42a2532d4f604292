import type { Attribute as GivenAttribute } from "@aws-sdk/client-ecs";
import type { Attribute } from "./instance.ts";

/** ECS: custom attributes of one container instance. */
const CUSTOM_ATTRIBUTES_MAX = 10;

/** True for what agents and ECS say of an instance, which users must not contradict: placement relies on it. */
function isReserved(name: string): boolean {
  return /^(ecs|com\.amazonaws)\./.test(name);
}

/** What is wrong with an attribute that a user wants to write or to remove, as the message of an InvalidParameterException. */
export function findAttributeViolation({ name = "", value }: GivenAttribute): string | undefined {
  if (!/^[A-Za-z0-9_.\-/\\]{1,128}$/.test(name)) {
    return "An attribute's name has 1 to 128 letters, digits, hyphens, underscores, slashes, backslashes and periods.";
  }
  if (isReserved(name)) return `The attribute ${name} is reserved: it cannot be changed.`;
  if (value === undefined) return undefined;
  return /^(?! )[A-Za-z0-9_.\-/\\@: ]{1,128}(?<! )$/.test(value)
    ? undefined
    : `The value of attribute ${name} has 1 to 128 letters, digits, hyphens, underscores, slashes, backslashes, periods, at signs, colons and inner spaces.`;
}

/** Attributes after some were written; undefined when these are more than an instance can have. */
export function putAttributes(
  before: readonly Attribute[],
  given: readonly Attribute[],
): readonly Attribute[] | undefined {
  const after = new Map(before.map((attribute) => [attribute.name, attribute]));
  for (const attribute of given) after.set(attribute.name, attribute);
  const customCount = [...after.keys()].filter((name) => !isReserved(name)).length;
  return customCount > CUSTOM_ATTRIBUTES_MAX ? undefined : [...after.values()];
}

/** Which of the attributes are meant: by name, and by value where one is given. */
export function isMeant(given: Attribute, attribute: Attribute): boolean {
  return (
    given.name === attribute.name && (given.value === undefined || given.value === attribute.value)
  );
}
