import { parseArgs } from "node:util";
import { SetupError } from "./lib/errors.ts";
import type { LogLevel } from "./lib/log.ts";

/** One setting: a flag, an environment variable, a default. Flags win over variables. */
export interface Setting {
  readonly flag: string;
  readonly variable: string;
  /** Undefined: chosen at the first start, as `meaning` says. */
  readonly fallback: string | undefined;
  readonly meaning: string;
}

type SettingName =
  | "dataDirectory"
  | "listen"
  | "accountId"
  | "region"
  | "rootAccessKeyId"
  | "rootSecretAccessKey"
  | "vpcCidr"
  | "logLevel";

/** Every setting of Gantry, with its default and reason. `gantry --help` prints this table. */
export const SETTINGS: Readonly<Record<SettingName, Setting>> = {
  dataDirectory: {
    flag: "data-dir",
    variable: "GANTRY_DATA_DIR",
    fallback: "/var/lib/gantry",
    meaning: "where all state lives; one Gantry at a time",
  },
  listen: {
    flag: "listen",
    variable: "GANTRY_LISTEN",
    fallback: "127.0.0.1:4566",
    meaning: "address:port of the AWS endpoint; port 0 takes a free one",
  },
  accountId: {
    flag: "account-id",
    variable: "GANTRY_ACCOUNT_ID",
    fallback: "000000000000",
    meaning: "12-digit id of the first account",
  },
  region: {
    flag: "region",
    variable: "GANTRY_REGION",
    fallback: "us-east-1",
    meaning: "region of this machine's capacity and default VPC",
  },
  rootAccessKeyId: {
    flag: "root-access-key-id",
    variable: "GANTRY_ROOT_ACCESS_KEY_ID",
    fallback: undefined,
    meaning: "the account's root key; made once at the first start if not given",
  },
  rootSecretAccessKey: {
    flag: "root-secret-access-key",
    variable: "GANTRY_ROOT_SECRET_ACCESS_KEY",
    fallback: undefined,
    meaning: "its secret (prefer the variable: flags show in process lists)",
  },
  vpcCidr: {
    flag: "vpc-cidr",
    variable: "GANTRY_VPC_CIDR",
    fallback: undefined,
    meaning:
      "the default VPC's network, /16; at the first start the first free one from 172.31.0.0/16 on",
  },
  logLevel: {
    flag: "log-level",
    variable: "GANTRY_LOG_LEVEL",
    fallback: "info",
    meaning: "debug, info, warn or error",
  },
};

/** The settings as the program uses them: validated and parsed. */
export interface Settings {
  readonly dataDirectory: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly accountId: string;
  readonly region: string;
  readonly rootKey: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly vpcCidr: string | undefined;
  readonly logLevel: LogLevel;
}

/** A command line taken apart: the words that are no flags, and the settings. */
export interface CommandLine {
  readonly words: readonly string[];
  readonly help: boolean;
  readonly settings: Settings;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads flags and environment. Throws SetupError that names the flag or variable and what it takes. */
export function readCommandLine(args: readonly string[], environment: Environment): CommandLine {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {
    help: { type: "boolean", short: "h" },
  };
  for (const setting of Object.values(SETTINGS)) options[setting.flag] = { type: "string" };
  const parsed = parse(args, options);
  const text = (name: SettingName): string | undefined => {
    const setting = SETTINGS[name];
    const flag = parsed.values[setting.flag];
    const given = typeof flag === "string" ? flag : environment[setting.variable];
    return given === undefined || given === "" ? setting.fallback : given;
  };
  return {
    words: parsed.positionals,
    help: parsed.values.help === true,
    settings: readSettings(text),
  };
}

function parse(
  args: readonly string[],
  options: Record<string, { type: "string" | "boolean"; short?: string }>,
): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split(". ")[0] : String(cause);
    throw new SetupError(`${reason}. See 'gantry --help'.`, { cause });
  }
}

function readSettings(text: (name: SettingName) => string | undefined): Settings {
  const required = (name: SettingName, pattern: RegExp, form: string): string => {
    const value = text(name) ?? "";
    if (!pattern.test(value)) throw invalid(name, value, form);
    return value;
  };
  return {
    dataDirectory: required("dataDirectory", /^\//, "an absolute path"),
    listen: parseListen(text("listen") ?? ""),
    accountId: required("accountId", /^\d{12}$/, "12 digits"),
    region: required("region", /^[a-z]{2,}(-[a-z0-9]+)+$/, "a region name such as us-east-1"),
    rootKey: rootKey(text("rootAccessKeyId"), text("rootSecretAccessKey")),
    vpcCidr:
      text("vpcCidr") === undefined
        ? undefined
        : required("vpcCidr", /^\d+(\.\d+){3}\/16$/, "a network such as 172.31.0.0/16"),
    logLevel: required(
      "logLevel",
      /^(debug|info|warn|error)$/,
      "debug, info, warn or error",
    ) as LogLevel,
  };
}

function invalid(name: SettingName, value: string, form: string): SetupError {
  const { flag, variable } = SETTINGS[name];
  return new SetupError(`--${flag} (${variable}) is ${JSON.stringify(value)}, but must be ${form}`);
}

function parseListen(value: string): { host: string; port: number } {
  const match = /^(?<host>\[[0-9a-fA-F:]+\]|[^:\s]+):(?<port>\d{1,5})$/.exec(value);
  const port = Number(match?.groups?.port ?? Number.NaN);
  if (!(port >= 0 && port <= 65_535))
    throw invalid("listen", value, "address:port, e.g. 127.0.0.1:4566");
  return { host: (match?.groups?.host ?? "").replace(/^\[|\]$/g, ""), port };
}

function rootKey(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
): Settings["rootKey"] {
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new SetupError(
      "GANTRY_ROOT_ACCESS_KEY_ID and GANTRY_ROOT_SECRET_ACCESS_KEY belong together: set both or neither",
    );
  }
  if (!/^\w{16,128}$/.test(accessKeyId)) {
    throw invalid("rootAccessKeyId", accessKeyId, "16 to 128 letters, digits or _");
  }
  if (secretAccessKey.length < 16) {
    throw new SetupError("GANTRY_ROOT_SECRET_ACCESS_KEY must have at least 16 characters");
  }
  return { accessKeyId, secretAccessKey };
}
