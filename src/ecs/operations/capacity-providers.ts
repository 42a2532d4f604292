import type {
  CapacityProvider as AwsCapacityProvider,
  CreateCapacityProviderRequest,
  CreateCapacityProviderResponse,
  DeleteCapacityProviderRequest,
  DeleteCapacityProviderResponse,
  DescribeCapacityProvidersRequest,
  DescribeCapacityProvidersResponse,
  UpdateCapacityProviderRequest,
  UpdateCapacityProviderResponse,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import { commit, updateRecord } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import {
  type CapacityProvider,
  FARGATE_PROVIDERS,
  findGroupViolation,
  findProviderNameViolation,
  isFargateProvider,
  newGroup,
  updateGroup,
} from "../model/capacity-provider.ts";
import type { Cluster } from "../model/cluster.ts";
import {
  capacityProviderKey,
  capacityProvidersPrefix,
  clustersPrefix,
  type Scope,
} from "../model/keys.ts";
import { findTagViolation, normaliseTags } from "../model/tags.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { clientFault, invalid, requireBatch } from "./invalid.ts";
import { pageOf } from "./page.ts";
import { presentCapacityProvider, presentFargateProvider } from "./present-capacity-provider.ts";
import { providerNameOf, providerResource, requireCluster, scopeOf } from "./resolve.ts";

/** The rows of capacity provider operations. */
export function capacityProviderOperations(deps: EcsDeps): EcsOperations {
  const missing =
    "managedInstancesProvider; an Auto Scaling group is kept and shown, but not looked up and not scaled";
  return {
    CreateCapacityProvider: {
      support: "partial",
      missing,
      action: "ecs:CreateCapacityProvider",
      resources: ({ name }, call) => [providerResource(call, name)],
      handle: (input, call) => createProvider(deps, input, call),
    },
    DescribeCapacityProviders: {
      support: "full",
      action: "ecs:DescribeCapacityProviders",
      resources: ({ capacityProviders }, call) =>
        capacityProviders?.length
          ? capacityProviders.map((text) => providerResource(call, text))
          : ["*"],
      handle: async (input, call) => describeProviders(deps, input, call),
    },
    UpdateCapacityProvider: {
      support: "partial",
      missing,
      action: "ecs:UpdateCapacityProvider",
      resources: ({ name }, call) => [providerResource(call, name)],
      handle: (input, call) => updateProvider(deps, input, call),
    },
    DeleteCapacityProvider: {
      support: "full",
      action: "ecs:DeleteCapacityProvider",
      resources: ({ capacityProvider }, call) => [providerResource(call, capacityProvider)],
      handle: (input, call) => deleteProvider(deps, input, call),
    },
  };
}

/** ECS: providers of one page, and as many if not told otherwise. */
const PAGE_PROVIDERS_MAX = 10;
/** ECS: providers that one call may name. */
const BATCH_MAX = 100;
/** Lost races in a row on one provider. */
const ATTEMPTS_MAX = 20;

async function createProvider(
  deps: EcsDeps,
  input: CreateCapacityProviderRequest,
  call: Call,
): Promise<CreateCapacityProviderResponse> {
  const scope = scopeOf(call);
  const name = input.name ?? "";
  const autoScalingGroup = readNewGroup(input);
  const key = capacityProviderKey(scope, name);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    const existing = record?.value as CapacityProvider | undefined;
    if (existing?.status === "ACTIVE") {
      throw clientFault(
        "The specified capacity provider already exists. To change the configuration of an existing capacity provider, update the capacity provider.",
      );
    }
    requireFreeGroup(deps, scope, autoScalingGroup.autoScalingGroupArn);
    const provider: CapacityProvider = {
      ...scope,
      name,
      status: "ACTIVE",
      updateStatus: "CREATE_COMPLETE",
      autoScalingGroup,
      tags: normaliseTags(input.tags),
      createdAt: deps.clock.now(),
    };
    const compare = [{ key, revision: record?.revision ?? 0 }];
    if (await commit(deps, compare, [{ key, value: provider }])) {
      return { capacityProvider: presentCapacityProvider(provider, provider.tags) };
    }
  }
  throw new UnavailableError(`capacity provider ${name} keeps changing`);
}

function readNewGroup(input: CreateCapacityProviderRequest): CapacityProvider["autoScalingGroup"] {
  const nameViolation = findProviderNameViolation(input.name ?? "");
  if (nameViolation !== undefined) throw clientFault(nameViolation);
  requireNoManagedInstances(input.managedInstancesProvider);
  if (!input.autoScalingGroupProvider) {
    throw invalid("A capacity provider needs an autoScalingGroupProvider.");
  }
  const tagViolation = findTagViolation(input.tags);
  if (tagViolation !== undefined) throw invalid(tagViolation);
  const group = newGroup(input.autoScalingGroupProvider);
  const violation = findGroupViolation(group);
  if (violation !== undefined) throw clientFault(violation);
  return group;
}

function requireNoManagedInstances(given: object | undefined): void {
  if (!given) return;
  throw new ApiError(
    "UnsupportedFeatureException",
    "Managed Instances are not available: use an autoScalingGroupProvider, FARGATE or FARGATE_SPOT.",
  );
}

/** ECS: an Auto Scaling group has one provider. */
function requireFreeGroup({ cache }: EcsDeps, scope: Scope, groupArn: string): void {
  const isTaken = activeProviders(cache, scope).some(
    ({ autoScalingGroup }) => autoScalingGroup.autoScalingGroupArn === groupArn,
  );
  if (!isTaken) return;
  throw clientFault(
    "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique Auto Scaling group ARN and try again.",
  );
}

function activeProviders(cache: EcsDeps["cache"], scope: Scope): readonly CapacityProvider[] {
  return cache
    .list(capacityProvidersPrefix(scope))
    .map(({ value }) => value as CapacityProvider)
    .filter(({ status }) => status === "ACTIVE");
}

function describeProviders(
  { cache }: EcsDeps,
  input: DescribeCapacityProvidersRequest,
  call: Call,
): DescribeCapacityProvidersResponse {
  const scope = scopeOf(call);
  const asked = input.capacityProviders ?? [];
  if (asked.length > 0) requireBatch("Capacity Providers", asked, BATCH_MAX);
  const ofCluster = input.cluster && requireCluster(cache, scope, input.cluster);
  const all = ofCluster
    ? (ofCluster.capacityProviders ?? [])
    : [...FARGATE_PROVIDERS, ...activeProviders(cache, scope).map(({ name }) => name)];
  const withTags = input.include?.includes("TAGS") ?? false;
  const found = (asked.length > 0 ? asked : all).map((text) => {
    const name = providerNameOf(scope, text);
    const isIncluded = !ofCluster || (name !== undefined && all.includes(name));
    return { text, provider: isIncluded ? show(cache, scope, name, withTags) : undefined };
  });
  const shown = found.flatMap(({ provider }) => provider ?? []);
  const { items, nextToken } = pageOf(shown, input, {
    keyOf: ({ name = "" }) => name,
    max: PAGE_PROVIDERS_MAX,
  });
  return {
    capacityProviders: [...items],
    // What is missing is told once, on the first page.
    failures: found
      .filter(({ provider }) => !provider && !input.nextToken)
      .map(({ text }) => ({ arn: providerResource(call, text), reason: "MISSING" })),
    ...(nextToken !== undefined && { nextToken }),
  };
}

function show(
  cache: EcsDeps["cache"],
  scope: Scope,
  name: string | undefined,
  withTags: boolean,
): AwsCapacityProvider | undefined {
  if (name === undefined) return undefined;
  if (isFargateProvider(name)) return presentFargateProvider(scope, name);
  const record = cache.get(capacityProviderKey(scope, name));
  const provider = record?.value as CapacityProvider | undefined;
  return provider && presentCapacityProvider(provider, withTags ? provider.tags : []);
}

async function updateProvider(
  deps: EcsDeps,
  input: UpdateCapacityProviderRequest,
  call: Call,
): Promise<UpdateCapacityProviderResponse> {
  requireNoManagedInstances(input.managedInstancesProvider);
  const given = input.autoScalingGroupProvider ?? {};
  const key = requireOwnKey(scopeOf(call), input.name);
  const provider = await updateRecord<CapacityProvider>(deps, key, (before) => {
    if (before.status !== "ACTIVE") throw missingProvider();
    const autoScalingGroup = updateGroup(before.autoScalingGroup, given);
    const violation = findGroupViolation(autoScalingGroup);
    if (violation !== undefined) throw clientFault(violation);
    return { ...before, updateStatus: "UPDATE_COMPLETE", autoScalingGroup };
  });
  if (!provider) throw missingProvider();
  return { capacityProvider: presentCapacityProvider(provider, provider.tags) };
}

/** The answer shows the provider on its way out, as ECS does; Describe shows it gone. */
async function deleteProvider(
  deps: EcsDeps,
  input: DeleteCapacityProviderRequest,
  call: Call,
): Promise<DeleteCapacityProviderResponse> {
  const scope = scopeOf(call);
  const key = requireOwnKey(scope, input.capacityProvider);
  const provider = await updateRecord<CapacityProvider>(deps, key, (before) => {
    if (before.status !== "ACTIVE") throw missingProvider();
    // Whoever begins to use a provider rewrites its record: none was used between this look and the transaction.
    if (isUsed(deps, scope, before.name)) {
      throw clientFault("The specified capacity provider is in use and cannot be removed.");
    }
    return { ...before, status: "INACTIVE", updateStatus: "DELETE_COMPLETE" };
  });
  if (!provider) throw missingProvider();
  const gone = presentCapacityProvider(provider, provider.tags);
  return {
    capacityProvider: { ...gone, status: "ACTIVE", updateStatus: "DELETE_IN_PROGRESS" },
  };
}

function isUsed({ cache }: EcsDeps, scope: Scope, name: string): boolean {
  return cache
    .list(clustersPrefix(scope))
    .map(({ value }) => value as Cluster)
    .some(
      ({ status, capacityProviders }) => status === "ACTIVE" && capacityProviders?.includes(name),
    );
}

/** The key of a provider that its owner may change. Throws ClientException. */
function requireOwnKey(scope: Scope, text = ""): string {
  const name = providerNameOf(scope, text);
  if (name === undefined) throw missingProvider();
  if (!isFargateProvider(name)) return capacityProviderKey(scope, name);
  throw clientFault(
    `The capacity provider ${name} is reserved: it can be neither changed nor deleted.`,
  );
}

function missingProvider(): ApiError {
  return clientFault(
    "The specified capacity provider does not exist. Specify a valid name or ARN and try again.",
  );
}
