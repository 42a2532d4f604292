/** The nouns of Parameter Store, pure: records, keys, names and ARNs. */

/** The account and region of a parameter. */
export interface Place {
  readonly accountId: string;
  readonly region: string;
}

export type ParameterType = "String" | "StringList" | "SecureString";

/** A parameter; its values are records of their own. */
export interface Parameter extends Place {
  readonly name: string;
  readonly type: ParameterType;
  readonly tier: "Standard" | "Advanced";
  readonly dataType: string;
  readonly tags: Readonly<Record<string, string>>;
  /** The latest. */
  readonly version: number;
  /** Label → version. */
  readonly labels: Readonly<Record<string, number>>;
}

/** One value and what was said with it. */
export interface ParameterVersion {
  readonly version: number;
  readonly type: ParameterType;
  /** SecureString: sealed with the master key in the context of this record's key. */
  readonly value: string;
  readonly description?: string;
  readonly allowedPattern?: string;
  readonly keyId?: string;
  /** Epoch milliseconds. */
  readonly modifiedAt: number;
  /** ARN of who wrote it. */
  readonly modifiedBy: string;
}

export function parametersPrefix({ accountId, region }: Place): string {
  return `/${accountId}/${region}/ssm/parameters/`;
}
/** Names hold slashes. */
export function parameterKey(place: Place, name: string): string {
  return `${parametersPrefix(place)}${encodeURIComponent(name)}`;
}
export function versionsPrefix({ accountId, region }: Place, name: string): string {
  return `/${accountId}/${region}/ssm/parameter-versions/${encodeURIComponent(name)}/`;
}
/** Zero-padded, so that key order is number order. */
export function versionKey(place: Place, name: string, version: number): string {
  return `${versionsPrefix(place, name)}${String(version).padStart(9, "0")}`;
}

/** A name may or may not begin with a slash; its ARN has exactly one before it. */
export function parameterArn({ accountId, region }: Place, name: string): string {
  return `arn:aws:ssm:${region}:${accountId}:parameter${name.startsWith("/") ? "" : "/"}${name}`;
}

/** What a caller asks for: `name`, `name:3`, `name:label`, or one of them as an ARN. */
export interface Selection {
  readonly name: string;
  /** A version or a label; undefined: the latest. */
  readonly selector: string | undefined;
  /** Where an ARN says so. */
  readonly place?: Place;
}

const ARN =
  /^arn:aws:ssm:(?<region>[^:]+):(?<accountId>\d{12}):parameter(?<name>\/[^:]+)(?::(?<selector>[^:]+))?$/;

/** Reads what a caller calls a parameter. */
export function parseSelection(text: string): Selection {
  const groups = ARN.exec(text)?.groups;
  if (groups !== undefined) {
    const { accountId = "", name = "", region = "", selector } = groups;
    return { name, selector, place: { accountId, region } };
  }
  const colon = text.indexOf(":");
  if (colon < 0 || text.startsWith("arn:")) return { name: text, selector: undefined };
  return { name: text.slice(0, colon), selector: text.slice(colon + 1) };
}

/** AWS: at most fifteen levels of `/`. */
const LEVELS_MAX = 15;
const NAME_LENGTH_MAX = 1011;

/** What is wrong with a new parameter's name; undefined when nothing is. */
export function findNameViolation(name: string): { code: string; message: string } | undefined {
  if (name.endsWith("/")) {
    return { code: "ValidationException", message: "Parameter name must not end with slash." };
  }
  if (!/^\/?([A-Za-z0-9_.-]+\/)*[A-Za-z0-9_.-]+$/.test(name) || name.length > NAME_LENGTH_MAX) {
    return {
      code: "ValidationException",
      message:
        'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_',
    };
  }
  const isPath = name.includes("/");
  if (isPath && !name.startsWith("/")) {
    return {
      code: "ValidationException",
      message: "Parameter name must be a fully qualified name.",
    };
  }
  if (/^\/?(aws|ssm)/i.test(name)) {
    return {
      code: "ValidationException",
      message: `No access to reserved parameter name: ${name}.`,
    };
  }
  if (name.split("/").length - 1 > LEVELS_MAX) {
    return {
      code: "HierarchyLevelLimitExceededException",
      message: `A hierarchy can have a maximum of ${LEVELS_MAX} levels.`,
    };
  }
  return undefined;
}
