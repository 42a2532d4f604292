/** fast-check values of task definitions that ECS takes: every member of the shape, together as the rules allow. */
import type {
  Compatibility,
  ContainerDefinition,
  LogConfiguration,
  NetworkMode,
  PortMapping,
  RegisterTaskDefinitionRequest,
  Volume,
} from "@aws-sdk/client-ecs";
import fc from "fast-check";
import { texts } from "./shape-values.ts";

/** Every definition has a container of this name that is essential; the others may lean on it. */
const FIRST = "first";

const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const filled = texts.filter((text) => text !== "");
const lists = fc.array(texts, { maxLength: 3 });
const maps = fc.dictionary(names, texts, { maxKeys: 3, noNullPrototype: true });
const parameters = fc.constantFrom("/app/name", "arn:aws:ssm:us-east-1:1:parameter/name");
const oneOf = <const T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const within = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

/** Any selection of the members. */
function some<T>(members: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(members, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<
    Partial<T>
  >;
}

/** `required` with any selection of the other members. */
function and<R, T>(
  required: { [K in keyof R]: fc.Arbitrary<R[K]> },
  members: { [K in keyof T]: fc.Arbitrary<T[K]> },
): fc.Arbitrary<R & Partial<T>> {
  return fc.tuple(fc.record(required), some(members)).map(([a, b]) => ({ ...b, ...a }));
}

const volumeKinds: fc.Arbitrary<Omit<Volume, "name">> = fc.oneof(
  fc.record({ host: some({ sourcePath: filled }) }),
  fc.record({
    dockerVolumeConfiguration: fc.oneof(
      and({ scope: oneOf("shared") }, { autoprovision: fc.boolean() }),
      some({ scope: oneOf("task"), driver: names, driverOpts: maps, labels: maps }),
      fc.record({ autoprovision: fc.boolean() }),
    ),
  }),
  fc.record({
    efsVolumeConfiguration: and(
      { fileSystemId: names, rootDirectory: oneOf("/"), transitEncryption: oneOf("ENABLED") },
      {
        transitEncryptionPort: within(1, 65_535),
        authorizationConfig: some({ accessPointId: names, iam: oneOf("ENABLED", "DISABLED") }),
      },
    ),
  }),
  fc.record({
    s3filesVolumeConfiguration: and(
      { fileSystemArn: filled },
      { rootDirectory: filled, transitEncryptionPort: within(1, 65_535), accessPointArn: filled },
    ),
  }),
  fc.record({
    fsxWindowsFileServerVolumeConfiguration: fc.record({
      fileSystemId: names,
      rootDirectory: filled,
      authorizationConfig: fc.record({ credentialsParameter: filled, domain: filled }),
    }),
  }),
);

const volumes: fc.Arbitrary<Volume[]> = fc
  .tuple(fc.array(volumeKinds, { maxLength: 4 }), fc.boolean())
  .map(([kinds, configuredAtLaunch]) => [
    ...kinds.map((kind, index) => ({ name: `volume${index}`, ...kind })),
    { name: "launch", ...(configuredAtLaunch ? { configuredAtLaunch } : { host: {} }) },
  ]);

const linuxParameters = some({
  capabilities: some({
    add: fc.subarray(["NET_ADMIN", "SYS_PTRACE"]),
    drop: fc.subarray(["ALL", "CHOWN"]),
  }),
  devices: fc.array(
    and(
      { hostPath: filled },
      { containerPath: texts, permissions: fc.subarray(["read", "write", "mknod"] as const) },
    ),
    { maxLength: 2 },
  ),
  initProcessEnabled: fc.boolean(),
  sharedMemorySize: within(1, 64),
  tmpfs: fc.array(and({ containerPath: filled, size: within(1, 64) }, { mountOptions: lists }), {
    maxLength: 2,
  }),
  maxSwap: within(0, 64),
  swappiness: within(0, 100),
});

const secrets = fc
  .array(parameters, { maxLength: 3 })
  .map((all) => all.map((valueFrom, index) => ({ name: `SECRET${index}`, valueFrom })));

const logConfiguration: fc.Arbitrary<LogConfiguration> = fc.oneof(
  and(
    { logDriver: oneOf("awslogs") },
    {
      secretOptions: secrets,
      options: oneOf({ "awslogs-group": "g", "awslogs-region": "r", mode: "blocking" }),
    },
  ).map((log) => ({ options: { "awslogs-group": "g", "awslogs-region": "r" }, ...log })),
  and({ logDriver: oneOf("splunk", "json-file", "syslog") }, { options: maps }),
);

/** Ports of the container with this number: none of another's. */
function portMappings(mode: NetworkMode | undefined, number: number): fc.Arbitrary<PortMapping[]> {
  const base = 1000 * (number + 1);
  const canRange = mode === "awsvpc" || mode === "bridge";
  const plain = and(
    { containerPort: within(base, base + 99) },
    {
      protocol: oneOf("tcp", "udp"),
      name: oneOf(`port${number}`),
      appProtocol: oneOf("http", "http2", "grpc"),
    },
  ).chain((mapping) =>
    oneOf<number | undefined>(undefined, mapping.containerPort).map((hostPort) => ({
      ...mapping,
      ...(hostPort !== undefined && { hostPort }),
    })),
  );
  const range = within(base + 100, base + 200).map((first) => ({
    containerPortRange: `${first}-${first + 9}`,
  }));
  if (mode === "none") return fc.constant([]);
  return fc
    .tuple(fc.option(plain), fc.option(range))
    .map(([one, many]) => [...(one ? [one] : []), ...(many && canRange ? [many] : [])]);
}

/** What a container has only where its network is not the task's own. */
const bridgeOnly = some<ContainerDefinition>({
  links: oneOf([FIRST], [`${FIRST}:alias`]),
  hostname: filled,
  disableNetworking: fc.boolean(),
  dnsServers: lists,
  dnsSearchDomains: oneOf(["example.com"]),
  extraHosts: oneOf([{ hostname: "db", ipAddress: "10.0.0.1" }]),
});

const processMembers = some<ContainerDefinition>({
  repositoryCredentials: fc.record({ credentialsParameter: filled }),
  cpu: within(0, 128),
  memoryReservation: within(4, 64),
  restartPolicy: and(
    { enabled: fc.boolean() },
    {
      ignoredExitCodes: fc.array(within(0, 255), { maxLength: 3 }),
      restartAttemptPeriod: within(60, 1800),
    },
  ),
  entryPoint: lists,
  command: lists,
  environment: fc.array(fc.record({ name: filled, value: texts }), { maxLength: 3 }),
  environmentFiles: oneOf([{ type: "s3", value: "arn:aws:s3:::bucket/a.env" }]),
  secrets,
  linuxParameters,
  startTimeout: within(2, 600),
  stopTimeout: within(0, 600),
  versionConsistency: oneOf("enabled", "disabled"),
  user: texts,
  workingDirectory: texts,
  privileged: fc.boolean(),
  readonlyRootFilesystem: fc.boolean(),
  dockerSecurityOptions: fc.subarray(["no-new-privileges", "apparmor:profile", "label:x"]),
  interactive: fc.boolean(),
  pseudoTerminal: fc.boolean(),
  dockerLabels: maps,
});

const settingsMembers = some<ContainerDefinition>({
  ulimits: fc.uniqueArray(
    fc.record({
      name: oneOf("nofile", "core", "memlock"),
      softLimit: within(0, 9),
      hardLimit: within(9, 99),
    }),
    { selector: ({ name }) => name },
  ),
  logConfiguration,
  healthCheck: and(
    { command: fc.array(texts, { minLength: 1, maxLength: 3 }) },
    {
      interval: within(5, 300),
      timeout: within(2, 60),
      retries: within(1, 10),
      startPeriod: within(0, 300),
    },
  ),
  systemControls: oneOf([{ namespace: "fs.mqueue.msg_max", value: "100" }]),
  credentialSpecs: oneOf(["credentialspec:arn:aws:s3:::bucket/spec"]),
});

/** GPUs are asked for by count or by share, in all containers alike. */
const gpus = oneOf<NonNullable<ContainerDefinition["resourceRequirements"]>>(
  [{ type: "GPU", value: "1" }],
  [{ type: "GPU", sharingStrategy: { nvidiaMps: { memory: 512, maxComputePercent: 50 } } }],
);

function containers(
  mode: NetworkMode | undefined,
  volumeNames: readonly string[],
): fc.Arbitrary<ContainerDefinition[]> {
  const mounts = fc.array(
    and({ sourceVolume: oneOf(...volumeNames), containerPath: filled }, { readOnly: fc.boolean() }),
    { maxLength: 2 },
  );
  const members = (number: number): fc.Arbitrary<ContainerDefinition> =>
    fc
      .tuple(
        processMembers,
        settingsMembers,
        some({ mountPoints: mounts, portMappings: portMappings(mode, number) }),
        mode === "bridge" && number > 0 ? bridgeOnly : fc.constant({}),
      )
      .map((parts) => Object.assign({ memory: 64 + number }, ...parts));
  const images = oneOf("hello", "host/repo:tag", `hello@sha256:${"0".repeat(64)}`);
  const first = fc
    .tuple(
      members(0),
      images,
      some<ContainerDefinition>({
        essential: oneOf(true),
        resourceRequirements: gpus,
        firelensConfiguration: and(
          { type: oneOf("fluentd", "fluentbit") },
          {
            options: oneOf({ "enable-ecs-log-metadata": "false" }),
          },
        ),
      }),
    )
    .map(([all, image, own]) => ({ ...all, ...own, name: FIRST, image }));
  const second = fc
    .tuple(
      members(1),
      images,
      some<ContainerDefinition>({
        essential: fc.boolean(),
        volumesFrom: fc.array(and({ sourceContainer: oneOf(FIRST) }, { readOnly: fc.boolean() }), {
          maxLength: 2,
        }),
        dependsOn: oneOf([{ containerName: FIRST, condition: "START" }]),
      }),
    )
    .map(([all, image, own]) => ({ ...all, ...own, name: "second", image }));
  return fc.tuple(first, fc.option(second)).map(([one, two]) => (two ? [one, two] : [one]));
}

const proxyConfiguration = fc.record({
  type: oneOf("APPMESH"),
  containerName: oneOf(FIRST),
  properties: oneOf(
    ["IgnoredUID", "AppPorts", "ProxyIngressPort", "ProxyEgressPort"].map((name) => ({
      name,
      value: "1",
    })),
  ),
});

const taskMembers = some<Omit<RegisterTaskDefinitionRequest, "family" | "containerDefinitions">>({
  placementConstraints: oneOf([{ type: "memberOf", expression: "attribute:stack == prod" }]),
  cpu: oneOf("1024", "2048"),
  memory: oneOf("2048", "4096"),
  tags: fc.uniqueArray(fc.record({ key: names, value: names }), { selector: ({ key }) => key }),
  pidMode: oneOf("host", "task"),
  ipcMode: oneOf("none", "task"),
  runtimePlatform: some({
    cpuArchitecture: oneOf("X86_64", "ARM64"),
    operatingSystemFamily: oneOf("LINUX"),
  }),
  enableFaultInjection: fc.boolean(),
});

/** What tasks on instances of one's own have no disk for. */
const launchMembers: fc.Arbitrary<Partial<RegisterTaskDefinitionRequest>> = fc.oneof(
  fc.record({ requiresCompatibilities: oneOf<Compatibility[]>(["EC2"]) }),
  fc.record({ ephemeralStorage: fc.record({ sizeInGiB: within(21, 200) }) }),
  fc.constant({}),
);

/** Volumes that are configured at launch have to be mounted. */
function mounting(volumes: readonly Volume[], all: ContainerDefinition[]): ContainerDefinition[] {
  const [first, ...others] = all;
  const launched = volumes.filter(({ configuredAtLaunch }) => configuredAtLaunch);
  const mounts = launched.map(({ name }) => ({ sourceVolume: name, containerPath: "/launch" }));
  if (mounts.length === 0) return all;
  return [{ ...first, mountPoints: [...(first?.mountPoints ?? []), ...mounts] }, ...others];
}

/** Definitions that ECS takes. Sizes are in the form in which ECS shows them. */
export const definitions: fc.Arbitrary<RegisterTaskDefinitionRequest> = fc
  .tuple(oneOf<NetworkMode | undefined>("awsvpc", "bridge", "host", "none", undefined), volumes)
  .chain(([networkMode, all]) =>
    fc
      .tuple(
        names,
        fc.tuple(taskMembers, launchMembers),
        containers(
          networkMode,
          all.map(({ name = "" }) => name),
        ),
        networkMode === "awsvpc" ? fc.option(proxyConfiguration) : fc.constant(null),
      )
      .map(([family, [members, launch], containerDefinitions, proxy]) => ({
        ...members,
        ...launch,
        family,
        containerDefinitions: mounting(all, containerDefinitions),
        volumes: all,
        taskRoleArn: "arn:aws:iam::000000000000:role/task",
        executionRoleArn: "execution",
        ...(networkMode && { networkMode }),
        ...(proxy && { proxyConfiguration: proxy }),
      })),
  );
