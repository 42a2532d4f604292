import type { ParameterStringFilter } from "@aws-sdk/client-ssm";
import { ApiError } from "../lib/errors.ts";
import type { Parameter, ParameterVersion } from "./model.ts";

type Matches = (parameter: Parameter, latest: ParameterVersion) => boolean;

/** AWS: values of one filter are alternatives, several filters must all hold. Throws InvalidFilterKey and InvalidFilterOption. */
export function filterOf(filters: readonly ParameterStringFilter[]): Matches {
  const all = filters.map(toMatches);
  return (parameter, latest) => all.every((matches) => matches(parameter, latest));
}

function toMatches({
  Key: key = "",
  Option: option,
  Values: values = [],
}: ParameterStringFilter): Matches {
  if (key === "Path") return pathFilter(option ?? "OneLevel", values);
  const textsOf = key.startsWith("tag:") ? tagTexts(key.slice(4)) : own(TEXTS, key);
  if (textsOf === undefined) {
    throw new ApiError("InvalidFilterKey", `The specified filter key ${key} isn't valid.`);
  }
  const compare = own(COMPARE, option ?? "Equals");
  if (compare === undefined) {
    throw new ApiError("InvalidFilterOption", `The specified filter option ${option} isn't valid.`);
  }
  return (parameter, latest) => {
    const texts = textsOf(parameter, latest);
    if (values.length === 0) return texts.length > 0;
    return values.some((value) => texts.some((text) => compare(text, value)));
  };
}

/** A caller's word may be the name of what every object inherits. */
function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

const COMPARE: Readonly<Record<string, (text: string, value: string) => boolean>> = {
  Equals: (text, value) => text === value,
  BeginsWith: (text, value) => text.startsWith(value),
  Contains: (text, value) => text.includes(value),
};

type TextsOf = (parameter: Parameter, latest: ParameterVersion) => readonly string[];

const TEXTS: Readonly<Record<string, TextsOf>> = {
  Name: ({ name }) => [name],
  Type: ({ type }) => [type],
  Tier: ({ tier }) => [tier],
  DataType: ({ dataType }) => [dataType],
  KeyId: (_, { keyId }) => (keyId === undefined ? [] : [keyId]),
  Label: ({ labels }) => Object.keys(labels),
};

function tagTexts(key: string): TextsOf {
  return ({ tags }) => {
    const value = own(tags, key);
    return value === undefined ? [] : [value];
  };
}

function pathFilter(option: string, values: readonly string[]): Matches {
  if (option !== "OneLevel" && option !== "Recursive") {
    throw new ApiError("InvalidFilterOption", `The specified filter option ${option} isn't valid.`);
  }
  return ({ name }) =>
    values.some((value) => {
      const below = value.endsWith("/") ? value : `${value}/`;
      return (
        name.startsWith(below) &&
        (option === "Recursive" || !name.slice(below.length).includes("/"))
      );
    });
}
