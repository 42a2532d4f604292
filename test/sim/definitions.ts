import type { RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import type { FakeScript } from "../../src/runtime/fake.ts";

/** How the containers of each image behave. `absent` is on no machine. */
export const IMAGES: Readonly<Record<string, FakeScript>> = {
  app: {},
  stubborn: { onStop: "ignored" },
  hungry: { runFor: 5_000, exitCode: 137, oomKilled: true },
  uncreatable: { createError: "no space left on device" },
  unstartable: { startError: "exec: not found" },
};

type Container = NonNullable<RegisterTaskDefinitionRequest["containerDefinitions"]>[number];

function container(overrides: Partial<Container> = {}): Container {
  return { name: "app", image: "app", cpu: 256, memory: 256, ...overrides };
}

const SIDECAR: Container = container({
  name: "sidecar",
  essential: false,
  dependsOn: [{ containerName: "app", condition: "START" }],
});

const FARGATE = {
  requiresCompatibilities: ["FARGATE"],
  networkMode: "awsvpc",
} satisfies Partial<RegisterTaskDefinitionRequest>;

/** Every way a task can be, as far as the agent can run it. The first container of each is `app`. */
export const DEFINITIONS: readonly RegisterTaskDefinitionRequest[] = [
  { family: "host", networkMode: "host", containerDefinitions: [container()] },
  {
    family: "port",
    networkMode: "host",
    containerDefinitions: [container({ portMappings: [{ containerPort: 8080 }] })],
  },
  { family: "vpc", networkMode: "awsvpc", containerDefinitions: [container(), SIDECAR] },
  { family: "none", networkMode: "none", containerDefinitions: [container()] },
  {
    family: "gone",
    networkMode: "none",
    containerDefinitions: [container({ image: "absent" })],
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
    ...FARGATE,
    family: "small",
    cpu: "256",
    memory: "512",
    containerDefinitions: [container({ memory: 512 })],
  },
  {
    ...FARGATE,
    family: "hungry",
    cpu: "256",
    memory: "512",
    containerDefinitions: [container({ image: "hungry" })],
  },
  {
    ...FARGATE,
    family: "stubborn",
    cpu: "512",
    memory: "1024",
    executionRoleArn: "arn:aws:iam::111111111111:role/execution",
    containerDefinitions: [
      container({ image: "stubborn", stopTimeout: 20 }),
      { ...SIDECAR, essential: true },
    ],
  },
];

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
      ports:
        networkMode === "host"
          ? containerDefinitions.flatMap(({ portMappings = [] }) =>
              portMappings.flatMap(({ containerPort }) => containerPort ?? []),
            )
          : [],
    },
  ]),
);

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
