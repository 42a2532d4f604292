import { fileURLToPath } from "node:url";
import type { Settings } from "../config.ts";
import { ownProgram } from "../lib/own-files.ts";
import { SETTINGS } from "../settings.ts";

/** The commands that are services. */
export type UnitCommand = "up" | "server" | "node";

export interface UnitOptions {
  readonly command: UnitCommand;
  /** What runs: `bin/gantry`, by its whole path. */
  readonly program: string;
  /** Flags that differ from their defaults. */
  readonly flags: readonly string[];
  readonly dataDirectory: string;
}

/** `gantry up --print-unit`, and of `server` and `node`: a unit file for the settings given now. */
export function unit(command: UnitCommand, settings: Settings): number {
  const program = fileURLToPath(ownProgram);
  const { dataDirectory } = settings;
  process.stdout.write(
    unitText({ command, program, flags: flagsOf(command, settings), dataDirectory }),
  );
  return 0;
}

/**
 * A systemd unit. What runs containers cannot be confined: a filter (NoNewPrivileges, RestrictSUIDSGID, …) would hold
 * in the containers too, and a mount namespace (ProtectSystem, PrivateTmp, …) would end with the service and take the
 * containers' file systems with it. The control plane alone is confined as far as systemd can.
 */
export function unitText({ command, program, flags, dataDirectory }: UnitOptions): string {
  const line = [program, command, ...flags].map(quote).join(" ");
  return `# gantry ${command} --print-unit > /etc/systemd/system/gantry.service && systemctl enable --now gantry
[Unit]
Description=Gantry: Amazon ECS on machines you own
Wants=network-online.target
# A machine that waits for the right time (systemd-time-wait-sync, chrony-wait) signs nothing before.
After=network-online.target time-sync.target
# Settings that do not mend by themselves should not be tried for ever.
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=exec
# Secrets as variables, readable by root only: ${command === "node" ? "GANTRY_JOIN" : "GANTRY_ROOT_ACCESS_KEY_ID, GANTRY_ROOT_SECRET_ACCESS_KEY"}.
EnvironmentFile=-/etc/gantry.env
ExecStart=${line}
Restart=on-failure
RestartSec=2
LimitNOFILE=1048576
LimitCORE=0
UMask=0077
KeyringMode=private
${(command === "server" ? serverLines(dataDirectory) : NODE_LINES).join("\n")}

[Install]
WantedBy=multi-user.target
`;
}

const NODE_LINES = [
  "# Containers and their shims outlive this service: the next start adopts them.",
  "KillMode=process",
  "# Gantry makes the containers' cgroups.",
  "Delegate=yes",
  "TasksMax=infinity",
  "LimitNPROC=infinity",
  "# The kernel should take a container first when memory is short.",
  "OOMScoreAdjust=-500",
];

function serverLines(dataDirectory: string): string[] {
  return [
    ...(dataDirectory === SETTINGS.dataDirectory.fallback
      ? ["StateDirectory=gantry", "StateDirectoryMode=0700"]
      : []),
    `ReadWritePaths=${quote(`-${dataDirectory}`)}`,
    "# Ports below 1024.",
    "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_DAC_OVERRIDE",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
  ];
}

/** Never a root key or a join token: a unit is readable by everybody. */
export function flagsOf(command: UnitCommand, settings: Settings): string[] {
  const { agent, dataDirectory, logLevel } = settings;
  const values: Values = {
    dataDirectory,
    ...(command === "node" ? { agent } : serverValues(settings)),
    ...(command === "server" ? {} : nodeValues(settings)),
    logLevel,
  };
  return Object.entries(values).flatMap(([name, value]) => {
    const { flag, fallback } = SETTINGS[name as keyof typeof SETTINGS];
    return value === undefined || value === fallback ? [] : [`--${flag}`, value];
  });
}

type Values = Partial<Record<keyof typeof SETTINGS, string | undefined>>;

function serverValues(settings: Settings): Values {
  const { listen, tls } = settings;
  const host = listen.host.includes(":") ? `[${listen.host}]` : listen.host;
  return {
    listen: `${host}:${listen.port}`,
    endpointHost: settings.endpointHost === listen.host ? undefined : settings.endpointHost,
    tls: tls.kind === "files" ? undefined : tls.kind,
    ...(tls.kind === "files"
      ? { tlsCertificate: tls.certificate, tlsKey: tls.key, tlsAuthority: tls.authority }
      : {}),
    accountId: settings.accountId,
    region: settings.region,
    vpcCidr: settings.vpcCidr,
    taskRetention: hoursOrDays(settings.taskRetentionMs),
    nodeLossAfter: minutesOrSeconds(settings.nodeLossAfterMs),
  };
}

function nodeValues({
  advertise,
  cluster,
  images,
  metricsIntervalMs,
  runtimes,
  zone,
}: Settings): Values {
  const { cleanupAgeMs, insecureRegistries, loginFile, pullBehavior } = images;
  return {
    cluster,
    zone,
    advertise,
    imagePullBehavior: pullBehavior,
    registryAuth: loginFile,
    insecureRegistries: insecureRegistries.join(",") || undefined,
    imageCleanupAge: cleanupAgeMs === undefined ? "off" : minutesOrHours(cleanupAgeMs),
    metricsInterval: `${metricsIntervalMs / 1000}s`,
    runtimeEc2: runtimes.ec2,
    runtimeFargate: runtimes.fargate,
  };
}

function minutesOrHours(ms: number): string {
  const minutes = ms / 60_000;
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

function hoursOrDays(ms: number): string {
  const hours = ms / 3_600_000;
  return hours % 24 === 0 ? `${hours / 24}d` : `${hours}h`;
}

function minutesOrSeconds(ms: number | undefined): string {
  if (ms === undefined) return "never";
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`;
}

/** One word of a unit's command line: systemd.service(5), "Command lines". */
function quote(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(escaped)
    ? escaped
    : `"${escaped.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
