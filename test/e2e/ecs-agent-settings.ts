/** A container definition with what Docker is told of a container, and how Docker shows that it has taken it. */
import assert from "node:assert/strict";
import type { ContainerDefinition } from "@aws-sdk/client-ecs";

const MIB = 2 ** 20;

/** Runs in bridge mode, beside an image's own web server `log` that it is linked with. */
export const MANY_SETTINGS: ContainerDefinition = {
  name: "web",
  image: "hello:latest",
  cpu: 10,
  memory: 64,
  memoryReservation: 32,
  entryPoint: ["/bin/sh", "-c"],
  command: ["sleep 3600"],
  environment: [{ name: "A", value: "b c=d" }],
  links: ["log:logger"],
  stopTimeout: 1,
  user: "1000:1001",
  workingDirectory: "/www",
  hostname: "shop",
  interactive: true,
  pseudoTerminal: true,
  dockerLabels: { team: "shop" },
  dnsServers: ["10.0.0.2"],
  dnsSearchDomains: ["shop.example"],
  extraHosts: [{ hostname: "db", ipAddress: "10.0.0.9" }],
  readonlyRootFilesystem: true,
  dockerSecurityOptions: ["no-new-privileges"],
  ulimits: [{ name: "nofile", softLimit: 512, hardLimit: 1024 }],
  systemControls: [{ namespace: "net.core.somaxconn", value: "512" }],
  restartPolicy: { enabled: true, ignoredExitCodes: [0] },
  portMappings: [{ containerPortRange: "8000-8002" }, { containerPort: 53, protocol: "udp" }],
  linuxParameters: {
    capabilities: { add: ["SYS_PTRACE"], drop: ["MKNOD"] },
    devices: [{ hostPath: "/dev/null", containerPath: "/dev/n", permissions: ["read"] }],
    sharedMemorySize: 16,
    tmpfs: [{ containerPath: "/tmp", size: 16, mountOptions: ["noexec"] }],
    maxSwap: 64,
  },
  logConfiguration: { logDriver: "json-file", options: { "max-size": "1m" } },
};

export interface DockerContainer {
  readonly Config: Readonly<Record<string, unknown>>;
  readonly HostConfig: Readonly<Record<string, unknown>>;
}

/** Compares what Docker shows of the container with {@link MANY_SETTINGS}. */
export function assertTaken({ Config, HostConfig }: DockerContainer): void {
  const pick = (from: Readonly<Record<string, unknown>>, names: readonly string[]): object =>
    Object.fromEntries(names.map((name) => [name, from[name]]));
  const config = {
    Hostname: "shop",
    User: "1000:1001",
    WorkingDir: "/www",
    OpenStdin: true,
    Tty: true,
    Cmd: ["sleep 3600"],
    Entrypoint: ["/bin/sh", "-c"],
  };
  assert.deepEqual(pick(Config, Object.keys(config)), config);
  assert.equal((Config.Labels as Record<string, string>).team, "shop");
  assert.ok((Config.Env as string[]).includes("A=b c=d"));
  const hostConfig = {
    NetworkMode: "bridge",
    CpuShares: 10,
    Memory: 64 * MIB,
    MemoryReservation: 32 * MIB,
    ShmSize: 16 * MIB,
    Dns: ["10.0.0.2"],
    DnsSearch: ["shop.example"],
    ExtraHosts: ["db:10.0.0.9"],
    ReadonlyRootfs: true,
    SecurityOpt: ["no-new-privileges"],
    CapDrop: ["MKNOD"],
    Sysctls: { "net.core.somaxconn": "512" },
    Tmpfs: { "/tmp": "size=16m,noexec" },
    Ulimits: [{ Name: "nofile", Soft: 512, Hard: 1024 }],
    Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/n", CgroupPermissions: "r" }],
    LogConfig: { Type: "json-file", Config: { "max-size": "1m" } },
  };
  assert.deepEqual(pick(HostConfig, Object.keys(hostConfig)), hostConfig);
}
