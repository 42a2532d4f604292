import { isIP } from "node:net";
import { SetupError } from "./lib/errors.ts";
import type { LogLevel } from "./lib/log.ts";

/** One setting: a flag, an environment variable, a default. Flags win over variables. */
export interface Setting {
  readonly flag: string;
  readonly variable: string;
  /** Undefined: none, or chosen at the first start, as `meaning` says. */
  readonly fallback: string | undefined;
  /** Unit, form and limits of the value, to stand behind "must be". */
  readonly form: string;
  readonly meaning: string;
  /** Why it exists, or why this default. */
  readonly reason: string;
}

export type SettingName =
  | "dataDirectory"
  | "listen"
  | "endpointHost"
  | "tls"
  | "tlsCertificate"
  | "tlsKey"
  | "tlsAuthority"
  | "accountId"
  | "region"
  | "rootAccessKeyId"
  | "rootSecretAccessKey"
  | "vpcCidr"
  | "taskRetention"
  | "join"
  | "cluster"
  | "zone"
  | "advertise"
  | "nodeLossAfter"
  | "logLevel";

/** Every setting of Gantry. Help, completion and the systemd unit are made from this table. */
export const SETTINGS: Readonly<Record<SettingName, Setting>> = {
  dataDirectory: {
    flag: "data-dir",
    variable: "GANTRY_DATA_DIR",
    fallback: "/var/lib/gantry",
    form: "an absolute path without , : or \\, on a local disk",
    meaning: "where all state lives; one Gantry at a time",
    reason: "the place for a program's state by the Filesystem Hierarchy Standard",
  },
  listen: {
    flag: "listen",
    variable: "GANTRY_LISTEN",
    fallback: "127.0.0.1:4566",
    form: "address:port, e.g. 127.0.0.1:4566, with a port from 0 to 65535",
    meaning: "where the AWS endpoint listens; port 0 takes a free one",
    reason:
      "loopback, so that nobody else reaches it unasked; the port that tools for local AWS endpoints try",
  },
  endpointHost: {
    flag: "endpoint-host",
    variable: "GANTRY_ENDPOINT_HOST",
    fallback: undefined,
    form: "a host name or an IP address",
    meaning: "how clients name this machine; else the address that it listens on",
    reason: "a certificate is for a name, and 0.0.0.0 is none",
  },
  tls: {
    flag: "tls",
    variable: "GANTRY_TLS",
    fallback: "off",
    form: "off, or generate (a certificate by a private authority, kept in the data directory)",
    meaning: "HTTPS with a certificate made here; a given one needs only its own settings",
    reason: "off, because every call is signed and the default address is loopback",
  },
  tlsCertificate: {
    flag: "tls-cert",
    variable: "GANTRY_TLS_CERT",
    fallback: undefined,
    form: "the absolute path of a PEM file",
    meaning: "HTTPS with this certificate, its chain behind it in the same file",
    reason: "certificates of an organisation's own",
  },
  tlsKey: {
    flag: "tls-key",
    variable: "GANTRY_TLS_KEY",
    fallback: undefined,
    form: "the absolute path of a PEM file",
    meaning: "the private key of --tls-cert, without a passphrase",
    reason: "belongs to --tls-cert",
  },
  tlsAuthority: {
    flag: "tls-ca",
    variable: "GANTRY_TLS_CA",
    fallback: undefined,
    form: "the absolute path of a PEM file",
    meaning: "who has signed --tls-cert, when clients do not trust them already",
    reason: "lets the node and 'gantry env' trust an organisation's own authority",
  },
  accountId: {
    flag: "account-id",
    variable: "GANTRY_ACCOUNT_ID",
    fallback: "000000000000",
    form: "12 digits",
    meaning: "id of the first account",
    reason: "no account of AWS has it, so no ARN of ours can be taken for one of theirs",
  },
  region: {
    flag: "region",
    variable: "GANTRY_REGION",
    fallback: "us-east-1",
    form: "a region name such as us-east-1",
    meaning: "region of this machine's capacity and default VPC",
    reason: "the region that AWS's own tools and examples assume",
  },
  rootAccessKeyId: {
    flag: "root-access-key-id",
    variable: "GANTRY_ROOT_ACCESS_KEY_ID",
    fallback: undefined,
    form: "16 to 128 letters, digits or _",
    meaning: "the account's root key; made once at the first start if not given",
    reason: "lets whoever installs Gantry know the key beforehand; AWS's limits",
  },
  rootSecretAccessKey: {
    flag: "root-secret-access-key",
    variable: "GANTRY_ROOT_SECRET_ACCESS_KEY",
    fallback: undefined,
    form: "at least 16 characters",
    meaning: "its secret (prefer the variable: flags show in process lists)",
    reason: "belongs to --root-access-key-id",
  },
  vpcCidr: {
    flag: "vpc-cidr",
    variable: "GANTRY_VPC_CIDR",
    fallback: undefined,
    form: "a network such as 172.31.0.0/16, always a /16",
    meaning: "the default VPC's network; else the first free one from 172.31.0.0/16 on",
    reason:
      "AWS's own default VPC, unless the machine's routes use it; asked at the first start only",
  },
  taskRetention: {
    flag: "task-retention",
    variable: "GANTRY_TASK_RETENTION",
    fallback: "7d",
    form: "hours or days, such as 36h or 7d, from 1h to 3650d",
    meaning: "how long a stopped task can still be described",
    reason: "a week to look into what happened; ECS promises an hour, which is the least",
  },
  join: {
    flag: "join",
    variable: "GANTRY_JOIN",
    fallback: undefined,
    form: "the line that 'gantry token' prints on the server's machine",
    meaning: "how a new machine finds its server and proves that it may come in; needed once",
    reason: "one word to carry over; good for an hour, so that an old shell history opens nothing",
  },
  cluster: {
    flag: "cluster",
    variable: "GANTRY_CLUSTER",
    fallback: "default",
    form: "a cluster's name: 1 to 255 letters, digits, _ or -",
    meaning: "the cluster that this machine joins for the EC2 launch type",
    reason: "the ECS agent's own default",
  },
  zone: {
    flag: "zone",
    variable: "GANTRY_ZONE",
    fallback: undefined,
    form: "an availability zone's name such as us-east-1a",
    meaning: "the availability zone that this machine is in; else the region's first",
    reason: "tasks are spread over zones: what fails together belongs in one",
  },
  advertise: {
    flag: "advertise",
    variable: "GANTRY_ADVERTISE",
    fallback: undefined,
    form: "an IPv4 address of this machine",
    meaning:
      "the address at which other machines reach this one; else the one it reaches the server from",
    reason: "tasks on different machines reach each other through it",
  },
  nodeLossAfter: {
    flag: "node-loss-after",
    variable: "GANTRY_NODE_LOSS_AFTER",
    fallback: "5m",
    form: "seconds, minutes or hours, such as 90s or 5m, from 30s to 24h, or never",
    meaning: "how long a machine may be silent before its tasks are given up",
    reason:
      "longer than a reboot or a switch's restart, after which tasks go on; Kubernetes waits as long. never is what ECS does",
  },
  logLevel: {
    flag: "log-level",
    variable: "GANTRY_LOG_LEVEL",
    fallback: "info",
    form: "debug, info, warn or error",
    meaning: "the least important lines that the log shows",
    reason: "info has a line for what an operator acts upon, and none for each call",
  },
};

/** How the door is secured. Paths, not contents. */
export type TlsSettings =
  | { readonly kind: "off" | "generate" }
  | {
      readonly kind: "files";
      readonly certificate: string;
      readonly key: string;
      readonly authority: string | undefined;
    };

/** The settings as the program uses them: validated and parsed. */
export interface Settings {
  readonly dataDirectory: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly endpointHost: string;
  readonly tls: TlsSettings;
  readonly accountId: string;
  readonly region: string;
  readonly rootKey: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly vpcCidr: string | undefined;
  readonly taskRetentionMs: number;
  /** A secret. */
  readonly join: string | undefined;
  readonly cluster: string;
  readonly zone: string | undefined;
  readonly advertise: string | undefined;
  /** Undefined: never. */
  readonly nodeLossAfterMs: number | undefined;
  readonly logLevel: LogLevel;
}

export type Environment = Readonly<Record<string, string | undefined>>;
type TextOf = (name: SettingName) => string | undefined;

/**
 * The settings by flags (their names without dashes → value) and environment. Throws SetupError that names the flag,
 * the variable and what it takes.
 */
export function readSettings(
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
): Settings {
  const text: TextOf = (name) => {
    const setting = SETTINGS[name];
    const flag = flags[setting.flag];
    const given = typeof flag === "string" ? flag : environment[setting.variable];
    return given === undefined || given === "" ? setting.fallback : given;
  };
  const matching = (name: SettingName, pattern: RegExp): string => {
    const value = text(name) ?? "";
    if (!pattern.test(value)) throw invalid(name, value);
    return value;
  };
  const listen = parseListen(text("listen") ?? "");
  return {
    dataDirectory: matching("dataDirectory", /^\/[^,:\\]*$/),
    listen,
    endpointHost: parseHost(text("endpointHost")) ?? reachable(listen.host),
    tls: parseTls(text),
    accountId: matching("accountId", /^\d{12}$/),
    region: matching("region", /^[a-z]{2,}(-[a-z0-9]+)+$/),
    rootKey: parseRootKey(text("rootAccessKeyId"), text("rootSecretAccessKey")),
    vpcCidr: text("vpcCidr") && matching("vpcCidr", /^\d+(\.\d+){3}\/16$/),
    taskRetentionMs: parseRetention(text("taskRetention") ?? ""),
    join: text("join"),
    cluster: matching("cluster", /^[A-Za-z0-9_-]{1,255}$/),
    zone: text("zone") && matching("zone", /^[a-z]{2,}(-[a-z0-9]+)+[a-z]$/),
    advertise: parseAddress(text("advertise")),
    nodeLossAfterMs: parseLossAfter(text("nodeLossAfter") ?? ""),
    logLevel: matching("logLevel", /^(debug|info|warn|error)$/) as LogLevel,
  };
}

function invalid(name: SettingName, value: string): SetupError {
  const { flag, variable, form } = SETTINGS[name];
  return new SetupError(`--${flag} (${variable}) is ${JSON.stringify(value)}, but must be ${form}`);
}

function parseListen(value: string): { host: string; port: number } {
  const match = /^(?<host>\[[0-9a-fA-F:]+\]|[^:\s]+):(?<port>\d{1,5})$/.exec(value);
  const port = Number(match?.groups?.port ?? Number.NaN);
  if (!(port >= 0 && port <= 65_535)) throw invalid("listen", value);
  return { host: (match?.groups?.host ?? "").replace(/^\[|\]$/g, ""), port };
}

function parseRetention(value: string): number {
  const match = /^(?<count>\d{1,5})(?<unit>[hd])$/.exec(value);
  const hours = Number(match?.groups?.count) * (match?.groups?.unit === "d" ? 24 : 1);
  if (!(hours >= 1 && hours <= 3650 * 24)) throw invalid("taskRetention", value);
  return hours * 3_600_000;
}

function parseLossAfter(value: string): number | undefined {
  if (value === "never") return undefined;
  const match = /^(?<count>\d{1,5})(?<unit>[smh])$/.exec(value);
  const unitSeconds = { s: 1, m: 60, h: 3600 }[match?.groups?.unit ?? ""] ?? Number.NaN;
  const seconds = Number(match?.groups?.count) * unitSeconds;
  if (!(seconds >= 30 && seconds <= 24 * 3600)) throw invalid("nodeLossAfter", value);
  return seconds * 1000;
}

function parseHost(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  // RFC 1123 for names; the length is that of a DNS name.
  const isName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;
  if (!isName.test(value) && isIP(value) === 0) throw invalid("endpointHost", value);
  return value;
}

function parseAddress(value: string | undefined): string | undefined {
  if (value !== undefined && isIP(value) !== 4) throw invalid("advertise", value);
  return value;
}

/** "All addresses" is one to listen on, but none to connect to. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function parseTls(text: TextOf): TlsSettings {
  const kind = text("tls") ?? "";
  if (kind !== "off" && kind !== "generate") throw invalid("tls", kind);
  const names = ["tlsCertificate", "tlsKey", "tlsAuthority"] as const;
  for (const name of names) {
    const value = text(name);
    if (value !== undefined && !value.startsWith("/")) throw invalid(name, value);
  }
  const [certificate, key, authority] = names.map(text);
  if (certificate === undefined && key === undefined && authority === undefined) return { kind };
  if (certificate === undefined || key === undefined) {
    throw new SetupError(
      "--tls-cert (GANTRY_TLS_CERT) and --tls-key (GANTRY_TLS_KEY) belong together: set both or neither",
    );
  }
  if (kind === "generate") {
    throw new SetupError(
      "--tls generate makes a certificate and --tls-cert gives one: choose one of them",
    );
  }
  return { kind: "files", certificate, key, authority };
}

function parseRootKey(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
): Settings["rootKey"] {
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new SetupError(
      "GANTRY_ROOT_ACCESS_KEY_ID and GANTRY_ROOT_SECRET_ACCESS_KEY belong together: set both or neither",
    );
  }
  if (!/^\w{16,128}$/.test(accessKeyId)) throw invalid("rootAccessKeyId", accessKeyId);
  // Says nothing of the value: it is a secret.
  if (secretAccessKey.length < 16) {
    throw new SetupError("GANTRY_ROOT_SECRET_ACCESS_KEY must have at least 16 characters");
  }
  return { accessKeyId, secretAccessKey };
}
