import type { Call, Operation, Principal } from "../../door/service.ts";
import { nodePrincipalArn } from "../../iam/model/access-key.ts";
import { writeRole } from "../../iam/model/role.fixture.ts";
import { InvariantError } from "../../lib/errors.ts";
import { openWorld, type World, writeInstance, writeNetwork } from "../control/control.fixture.ts";
import type { Instance } from "../model/instance.ts";
import { FLEET_ACCOUNT_ID, FLEET_CLUSTER } from "../model/keys.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { ecsService } from "./table.ts";

type Row<Name extends keyof EcsOperations> = Extract<
  EcsOperations[Name],
  { readonly handle: unknown }
>;
type InputOf<Name extends keyof EcsOperations> = Parameters<Row<Name>["handle"]>[0];
type OutputOf<Name extends keyof EcsOperations> =
  Row<Name> extends { readonly handle: (...args: never) => Promise<infer Output> } ? Output : never;

/** The ECS API over a world in memory, as the handlers see it: behind the door. */
export interface Api extends AsyncDisposable {
  readonly world: World;
  call<Name extends keyof EcsOperations>(name: Name, input: InputOf<Name>): Promise<OutputOf<Name>>;
  /** As another account. */
  as(accountId: string): Api;
  /** As a machine with a key in an account. */
  asMachine(accountId: string, ec2InstanceId: string): Api;
}

/** An API with an empty cluster `demo` of account 111111111111, the network of `writeNetwork()` and a role `t` for tasks. */
export async function openApi(): Promise<Api> {
  const world = await openWorld();
  await world.put(...writeNetwork(), writeRole({ roleName: "t" }));
  const api = apiFor(world, rootOf("111111111111"));
  await api.call("CreateCluster", { clusterName: "demo" });
  return api;
}

function apiFor(world: World, principal: Principal): Api {
  const { operations } = ecsService(world, {});
  return {
    world,
    call: async <Name extends keyof EcsOperations>(name: Name, input: InputOf<Name>) => {
      const row = operations[name] as Operation<InputOf<Name>, OutputOf<Name>> | undefined;
      if (!row) throw new InvariantError(`there is no operation ${name}`);
      return row.handle(input, callOf(principal));
    },
    as: (other) => apiFor(world, rootOf(other)),
    asMachine: (accountId, ec2InstanceId) =>
      apiFor(world, {
        accountId,
        arn: nodePrincipalArn(accountId, ec2InstanceId),
        accessKeyId: "AKIA0000000000000001",
        kind: "node",
      }),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

function rootOf(accountId: string): Principal {
  return {
    accountId,
    arn: `arn:aws:iam::${accountId}:root`,
    accessKeyId: "AKIA0000000000000000",
    kind: "root",
  };
}

function callOf(principal: Principal): Call {
  return {
    principal,
    region: "us-east-1",
    signedAt: 1_700_000_000_000,
    requestId: "00000000-0000-4000-8000-000000000000",
    endpoint: "http://127.0.0.1:4566",
    sourceIp: "127.0.0.1",
    signal: new AbortController().signal,
  };
}

/** What the tests' definitions ask for. */
const ATTRIBUTES: Instance["attributes"] = [
  { name: "ecs.availability-zone", value: "us-east-1a" },
  { name: "ecs.cpu-architecture", value: "x86_64" },
  { name: "ecs.capability.task-eni" },
  { name: "ecs.capability.task-cpu-mem-limit" },
  { name: "com.amazonaws.ecs.capability.docker-remote-api.1.18" },
];

/** Joins a machine of 4 vCPU and 8 GiB to cluster `demo`. */
export async function addInstance(
  api: Api,
  id: string,
  overrides: Partial<Instance> = {},
): Promise<void> {
  await api.world.put(writeInstance({ id, attributes: ATTRIBUTES, ...overrides }));
}

/** Joins the same kind of machine to the fleet. */
export async function addFleetInstance(
  api: Api,
  id: string,
  overrides: Partial<Instance> = {},
): Promise<void> {
  const fleet = { accountId: FLEET_ACCOUNT_ID, clusterName: FLEET_CLUSTER };
  await addInstance(api, id, { ...fleet, ...overrides });
}

/** Registers the next revision of `ec2`: host mode, 1 vCPU, 1 GiB. */
export async function registerEc2(api: Api): Promise<void> {
  await api.call("RegisterTaskDefinition", {
    family: "ec2",
    networkMode: "host",
    containerDefinitions: [{ name: "web", image: "hello", cpu: 1024, memory: 1024 }],
  });
}

/** Registers the next revision of `fargate`: 1 vCPU, 2 GiB, port 80. */
export async function registerFargate(api: Api): Promise<void> {
  await api.call("RegisterTaskDefinition", {
    family: "fargate",
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    cpu: "1 vCPU",
    memory: "2 GB",
    containerDefinitions: [
      { name: "web", image: "hello", portMappings: [{ containerPort: 80 }] },
      { name: "side", image: "hello", essential: false },
    ],
  });
}
