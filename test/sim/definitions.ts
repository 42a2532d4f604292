import type { RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import type { FakeScript } from "../../src/runtime/fake.ts";
import { PullError } from "../../src/runtime/pull.ts";

const UNREACHABLE = new PullError(
  'Get "https://registry.example/v2/": dial tcp 192.0.2.1:443: i/o timeout',
  { failure: "unreachable", stage: "manifest", retries: 5 },
);

/** How the containers of each image behave. `absent` is nowhere; `far` and `further` are in a registry, `cut-off` in one out of reach. */
export const IMAGES: Readonly<Record<string, FakeScript>> = {
  app: {},
  talker: { writes: { everyMs: 2_500, count: 40, text: (index) => `line ${index}\n` } },
  stubborn: {
    onStop: "ignored",
    writes: {
      everyMs: 1_700,
      count: 40,
      text: (index) => `event ${index}\n  of two lines ${index}\n`,
    },
  },
  hungry: {
    runFor: 5_000,
    exitCode: 137,
    oomKilled: true,
    // Lines that come in two pieces.
    writes: {
      everyMs: 300,
      count: 15,
      text: (index) => (index % 2 === 0 ? `bite ${index}` : ".\n"),
    },
  },
  far: { pull: { takes: 4_000 } },
  further: { pull: { takes: 150_000 } },
  "cut-off": { pull: { takes: 30_000, error: UNREACHABLE } },
  uncreatable: { createError: "no space left on device" },
  unstartable: { startError: "exec: not found" },
  flaky: {
    runFor: 70_000,
    exitCode: 1,
    exitsMax: 3,
    writes: { everyMs: 6_000, count: 40, text: (index) => `try ${index}\n` },
  },
  warming: { healthyAfter: 20_000 },
  moody: { unhealthyAfter: 60_000 },
};

/** What a health check finds in the end in a container of each image that has something to find. */
export const HEALTH_AT_REST: ReadonlyMap<string, "HEALTHY" | "UNHEALTHY"> = new Map([
  ["warming", "HEALTHY"],
  ["moody", "UNHEALTHY"],
]);

type Container = NonNullable<RegisterTaskDefinitionRequest["containerDefinitions"]>[number];

function container(overrides: Partial<Container> = {}): Container {
  return { name: "app", image: "app", cpu: 256, memory: 256, ...overrides };
}

const SIDECAR: Container = container({
  name: "sidecar",
  essential: false,
  dependsOn: [{ containerName: "app", condition: "START" }],
});

const CHECK: NonNullable<Container["healthCheck"]> = {
  command: ["CMD-SHELL", "curl -f localhost"],
  interval: 10,
  timeout: 5,
  retries: 2,
  startPeriod: 60,
};

/** Everything that writes logs to the same group. */
function logging(
  options: Readonly<Record<string, string>> = {},
): Pick<Container, "logConfiguration"> {
  return {
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": "/sim",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "out",
        ...options,
      },
    },
  };
}

/** What ends by itself has ended; what was lost with the power is started again. */
const ONCE_LOST = {
  enabled: true,
  restartAttemptPeriod: 60,
  ignoredExitCodes: Array.from({ length: 50 }, (_, code) => code),
};

const FARGATE = {
  requiresCompatibilities: ["FARGATE"],
  networkMode: "awsvpc",
  executionRoleArn: "arn:aws:iam::111111111111:role/execution",
} satisfies Partial<RegisterTaskDefinitionRequest>;

/** Every way a task can be, as far as the agent can run it. The first container of each is `app`. */
export const DEFINITIONS: readonly RegisterTaskDefinitionRequest[] = [
  {
    family: "host",
    networkMode: "host",
    containerDefinitions: [container({ image: "talker", ...logging() })],
  },
  {
    family: "port",
    networkMode: "host",
    containerDefinitions: [container({ portMappings: [{ containerPort: 8080 }] })],
  },
  { family: "vpc", networkMode: "awsvpc", containerDefinitions: [container(), SIDECAR] },
  {
    family: "bridge",
    containerDefinitions: [
      container({
        links: ["backend:store"],
        portMappings: [{ containerPort: 80, hostPort: 9090 }, { containerPort: 81 }],
        restartPolicy: ONCE_LOST,
      }),
      container({
        name: "backend",
        portMappings: [{ containerPortRange: "7000-7002", protocol: "udp" }, { containerPort: 80 }],
        restartPolicy: ONCE_LOST,
      }),
    ],
  },
  { family: "none", networkMode: "none", containerDefinitions: [container()] },
  {
    family: "together",
    networkMode: "none",
    pidMode: "task",
    containerDefinitions: [container(), SIDECAR],
  },
  {
    family: "gone",
    networkMode: "none",
    containerDefinitions: [container({ image: "absent" })],
  },
  {
    family: "pulled",
    networkMode: "awsvpc",
    containerDefinitions: [
      container({ image: "far" }),
      { ...SIDECAR, image: "further", essential: true },
    ],
  },
  {
    family: "cut-off",
    networkMode: "none",
    containerDefinitions: [
      container({ image: "far" }),
      { ...SIDECAR, image: "cut-off", essential: false },
    ],
  },
  {
    family: "broken",
    networkMode: "none",
    containerDefinitions: [container({ image: "uncreatable" }), SIDECAR],
  },
  {
    family: "lame",
    networkMode: "awsvpc",
    containerDefinitions: [container(), { ...SIDECAR, essential: true, image: "unstartable" }],
  },
  {
    family: "restarts",
    networkMode: "none",
    containerDefinitions: [
      container({
        image: "flaky",
        ...logging({ mode: "non-blocking" }),
        restartPolicy: { enabled: true, restartAttemptPeriod: 60, ignoredExitCodes: [0] },
      }),
    ],
  },
  {
    family: "healthy",
    networkMode: "awsvpc",
    containerDefinitions: [
      container({ image: "warming", startTimeout: 120, healthCheck: CHECK }),
      container({
        name: "sidecar",
        image: "moody",
        healthCheck: CHECK,
        dependsOn: [{ containerName: "app", condition: "HEALTHY" }],
      }),
    ],
  },
  {
    ...FARGATE,
    family: "small",
    cpu: "256",
    memory: "512",
    volumes: [{ name: "scratch" }],
    containerDefinitions: [
      container({ mountPoints: [{ sourceVolume: "scratch", containerPath: "/scratch" }] }),
      container({
        name: "reader",
        essential: false,
        volumesFrom: [{ sourceContainer: "app", readOnly: true }],
      }),
    ],
  },
  {
    ...FARGATE,
    family: "hungry",
    cpu: "256",
    memory: "512",
    containerDefinitions: [container({ image: "hungry", ...logging() })],
  },
  {
    ...FARGATE,
    family: "stubborn",
    cpu: "512",
    memory: "1024",
    containerDefinitions: [
      container({
        image: "stubborn",
        stopTimeout: 20,
        ...logging({ "awslogs-multiline-pattern": "^event" }),
      }),
      { ...SIDECAR, essential: true },
    ],
  },
];

/** Families whose containers end and start again as their images have it, not as whoever runs them says. */
export const ENDS_UNTOLD: ReadonlySet<string> = new Set(["restarts"]);

/** What each family takes of its machine, added up here independently of the product. */
export const NEEDS: ReadonlyMap<
  string,
  { readonly cpuUnits: number; readonly memoryMiB: number; readonly ports: readonly number[] }
> = new Map(
  DEFINITIONS.map(({ containerDefinitions = [], cpu, family = "", memory, networkMode }) => [
    family,
    {
      cpuUnits: Number(cpu ?? sum(containerDefinitions.map((one) => one.cpu ?? 0))),
      memoryMiB: Number(memory ?? sum(containerDefinitions.map((one) => one.memory ?? 0))),
      ports: containerDefinitions.flatMap(({ portMappings = [] }) =>
        portMappings.flatMap(({ containerPort, hostPort }) => {
          const fixed = networkMode === "host" ? containerPort : hostPort;
          return networkMode === "awsvpc" || fixed === undefined ? [] : [fixed];
        }),
      ),
    },
  ]),
);

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
