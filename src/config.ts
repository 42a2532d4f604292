import { isIP } from "node:net";
import { SetupError } from "./lib/errors.ts";
import type { LogLevel } from "./lib/log.ts";
import { invalid, SETTINGS, type SettingName } from "./settings.ts";

/** How the door is secured. Paths, not contents. */
export type TlsSettings =
  | { readonly kind: "off" | "generate" }
  | {
      readonly kind: "files";
      readonly certificate: string;
      readonly key: string;
      readonly authority: string | undefined;
    };

/** How a machine comes by images and lets go of them. */
export interface ImageSettings {
  readonly pullBehavior: "default" | "always" | "once" | "prefer-cached";
  readonly loginFile: string | undefined;
  /** `host[:port]`. */
  readonly insecureRegistries: readonly string[];
  /** Undefined: unused images stay. */
  readonly cleanupAgeMs: number | undefined;
}

/** Who runs the containers of each launch type: see `ContainerSpec.runtime`. */
export interface RuntimeSettings {
  readonly ec2: string;
  readonly fargate: string;
}

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
  /** Who runs this machine's tasks. */
  readonly agent: "gantry" | "amazon-ecs-agent";
  readonly cluster: string;
  readonly zone: string | undefined;
  readonly advertise: string | undefined;
  readonly images: ImageSettings;
  readonly metricsIntervalMs: number;
  readonly runtimes: RuntimeSettings;
  /** Undefined: never. */
  readonly nodeLossAfterMs: number | undefined;
  readonly logLevel: LogLevel;
}

/** A name or an absolute path. */
const RUNTIME = /^(?:[A-Za-z0-9][\w.-]{0,99}|\/[^\s,:]{1,100})$/;

export type Environment = Readonly<Record<string, string | undefined>>;
type TextOf = (name: SettingName) => string | undefined;

/** What `gantry env` exports beside settings. */
const OTHER_VARIABLES = ["GANTRY_SUBNETS"];

/** Variables that look like settings and are none: a typing error would otherwise go unnoticed. */
export function unknownVariables(environment: Environment): readonly string[] {
  const known = new Set([
    ...Object.values(SETTINGS).map(({ variable }) => variable),
    ...OTHER_VARIABLES,
  ]);
  return Object.keys(environment).filter((name) => /^GANTRY_/.test(name) && !known.has(name));
}

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
    agent: matching("agent", /^(gantry|amazon-ecs-agent)$/) as Settings["agent"],
    cluster: matching("cluster", /^[A-Za-z0-9_-]{1,255}$/),
    zone: text("zone") && matching("zone", /^[a-z]{2,}(-[a-z0-9]+)+[a-z]$/),
    advertise: parseAddress(text("advertise")),
    images: {
      pullBehavior: matching(
        "imagePullBehavior",
        /^(default|always|once|prefer-cached)$/,
      ) as ImageSettings["pullBehavior"],
      loginFile: text("registryAuth") && matching("registryAuth", /^\//),
      insecureRegistries: parseRegistries(text("insecureRegistries")),
      cleanupAgeMs: parseCleanupAge(text("imageCleanupAge") ?? ""),
    },
    metricsIntervalMs: parseMetricsInterval(text("metricsInterval") ?? ""),
    runtimes: {
      ec2: matching("runtimeEc2", RUNTIME),
      fargate: matching("runtimeFargate", RUNTIME),
    },
    nodeLossAfterMs: parseLossAfter(text("nodeLossAfter") ?? ""),
    logLevel: matching("logLevel", /^(debug|info|warn|error)$/) as LogLevel,
  };
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

function parseMetricsInterval(value: string): number {
  const seconds = Number(/^(\d{1,2})s$/.exec(value)?.[1]);
  if (!(seconds >= 1 && seconds <= 60)) throw invalid("metricsInterval", value);
  return seconds * 1000;
}

function parseLossAfter(value: string): number | undefined {
  if (value === "never") return undefined;
  const match = /^(?<count>\d{1,5})(?<unit>[smh])$/.exec(value);
  const unitSeconds = { s: 1, m: 60, h: 3600 }[match?.groups?.unit ?? ""] ?? Number.NaN;
  const seconds = Number(match?.groups?.count) * unitSeconds;
  if (!(seconds >= 30 && seconds <= 24 * 3600)) throw invalid("nodeLossAfter", value);
  return seconds * 1000;
}

function parseRegistries(value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  const registries = value.split(",").map((name) => name.trim());
  const isRegistry = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?$/i;
  if (!registries.every((name) => isRegistry.test(name)))
    throw invalid("insecureRegistries", value);
  return registries;
}

const AGE_UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
};

function parseCleanupAge(value: string): number | undefined {
  if (value === "off") return undefined;
  const match = /^(?<count>\d{1,5})(?<unit>[mhd])$/.exec(value);
  const ms = Number(match?.groups?.count) * (AGE_UNIT_MS[match?.groups?.unit ?? ""] ?? 0);
  if (!(ms >= 60_000 && ms <= 3650 * 24 * 3_600_000)) throw invalid("imageCleanupAge", value);
  return ms;
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
