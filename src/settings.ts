import { SetupError } from "./lib/errors.ts";

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
  | "agent"
  | "cluster"
  | "zone"
  | "advertise"
  | "imagePullBehavior"
  | "registryAuth"
  | "insecureRegistries"
  | "imageCleanupAge"
  | "metricsInterval"
  | "runtimeEc2"
  | "runtimeFargate"
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
  agent: {
    flag: "agent",
    variable: "GANTRY_AGENT",
    fallback: "gantry",
    form: "gantry, or amazon-ecs-agent",
    meaning:
      "who runs this machine's tasks: Gantry itself, or an amazon-ecs-agent that is started beside it and finds here its network and its instance's metadata",
    reason: "for those who have AWS's agent and Docker on their machines and want to keep them",
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
  metricsInterval: {
    flag: "metrics-interval",
    variable: "GANTRY_METRICS_INTERVAL",
    fallback: "20s",
    form: "whole seconds from 1s to 60s",
    meaning: "how often this machine's containers are measured and the server is told",
    reason: "the ECS agent's; 1s for those who scale by the second, at some percent of a core",
  },
  runtimeEc2: {
    flag: "runtime-ec2",
    variable: "GANTRY_RUNTIME_EC2",
    fallback: "runc",
    form: "a program with runc's command line by name or absolute path, such as crun or runsc, or a shim of containerd, such as io.containerd.kata.v2",
    meaning: "who runs the containers of launch type EC2",
    reason: "runc is the fastest; gVisor (runsc) and Kata part containers from the kernel",
  },
  runtimeFargate: {
    flag: "runtime-fargate",
    variable: "GANTRY_RUNTIME_FARGATE",
    fallback: "runc",
    form: "like --runtime-ec2",
    meaning: "who runs the containers of launch type FARGATE",
    reason:
      "tasks of people who do not trust each other may want more between them than one kernel",
  },
  imagePullBehavior: {
    flag: "image-pull-behavior",
    variable: "GANTRY_IMAGE_PULL_BEHAVIOR",
    fallback: "default",
    form: "default, always, once or prefer-cached",
    meaning: "when a task's image is asked for at its registry although it is here",
    reason:
      "the ECS agent's: ask, and take the one that is here if that fails; one loaded by hand is taken at once",
  },
  registryAuth: {
    flag: "registry-auth",
    variable: "GANTRY_REGISTRY_AUTH",
    fallback: undefined,
    form: "the absolute path of a file as 'docker login' writes it (~/.docker/config.json)",
    meaning: "this machine's logins at registries, for images whose task names no credentials",
    reason:
      "the form that every tool writes; read at each pull, so that a new login counts at once",
  },
  insecureRegistries: {
    flag: "insecure-registries",
    variable: "GANTRY_INSECURE_REGISTRIES",
    fallback: undefined,
    form: "host[:port] of registries, separated by commas",
    meaning: "registries that may speak plain HTTP, or TLS with any certificate",
    reason:
      "Docker's rule: nobody's registry may unless named; those of the loopback network always",
  },
  imageCleanupAge: {
    flag: "image-cleanup-age",
    variable: "GANTRY_IMAGE_CLEANUP_AGE",
    fallback: "1h",
    form: "off, or minutes, hours or days, such as 30m, 1h or 7d, from 1m to 3650d",
    meaning: "how long a pulled image stays unused before it may be removed; off: it stays",
    reason: "the ECS agent's own default",
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

/** What is said of a value that cannot be taken. */
export function invalid(name: SettingName, value: string): SetupError {
  const { flag, variable, form } = SETTINGS[name];
  return new SetupError(`--${flag} (${variable}) is ${JSON.stringify(value)}, but must be ${form}`);
}
