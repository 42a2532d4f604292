import type { RegisterContainerInstanceCommandInput } from "@aws-sdk/client-ecs";
import { SKEW_MS_MAX } from "../../door/limits.ts";
import type { Call } from "../../door/service.ts";
import { type Subnet, subnetsPrefix } from "../../ec2/model.ts";
import { machineOf } from "../../iam/model/access-key.ts";
import { readAddress } from "../../lib/cidr.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import type { Cache } from "../../store/cache.ts";
import { commit } from "../../store/commit.ts";
import type { Compare, StoreRecord, Write } from "../../store/store.ts";
import type { EcsDeps } from "../control/deps.ts";
import { tasksOf } from "../control/instance-tasks.ts";
import type { Cluster } from "../model/cluster.ts";
import { defined } from "../model/defined.ts";
import {
  attributeOf,
  type Host,
  type HostResources,
  type Instance,
  retire,
} from "../model/instance.ts";
import { clusterKey, hostKey, instanceKey, type Scope } from "../model/keys.ts";
import { isClientToken } from "../model/names.ts";
import {
  type EC2Home,
  type IdentityDocument,
  mergeAttributes,
  parseIdentityDocument,
  parseResources,
} from "../model/registration.ts";
import { findTagViolation, normaliseTags } from "../model/tags.ts";
import { idOf, requireCluster, scopeOf } from "./resolve.ts";

/** Lost races in a row before the agent is asked to come again. */
const ATTEMPTS_MAX = 10;

/** `clientToken` is in the agents' own model of the API, not in the SDK's. */
export type RegistrationInput = RegisterContainerInstanceCommandInput & {
  readonly clientToken?: string;
};

/** A registration whose words have been understood. */
interface Registration {
  readonly scope: Scope;
  readonly document: IdentityDocument;
  /** The machine that the caller has proved to be, or says it is; undefined when nobody says. */
  readonly ec2InstanceId: string | undefined;
  readonly resources: HostResources;
  readonly made: NonNullable<Instance["registration"]>;
  readonly input: RegistrationInput;
}

/**
 * Registers an agent's machine in a cluster, or takes note of what has changed since. An agent that names its ARN keeps
 * it, also when nobody knows it any more (AWS's agent reads no other from the answer), and one that comes back without has lost its memory: it gets a new instance, and the old one goes out of service with
 * the tasks that nobody will report on. Requests come twice and late, those of dead processes too: the token tells the
 * former, the time of signing the latter. Returns the instance as it now stands.
 */
export async function registerContainerInstance(
  deps: EcsDeps,
  input: RegistrationInput,
  call: Call,
): Promise<Instance> {
  const registration = readRegistration(input, call);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // Agents know what this throws: one without a configured cluster then creates `default` and comes again.
    const cluster = requireCluster(deps.cache, registration.scope, input.cluster);
    const known =
      findKnown(deps, cluster, input.containerInstanceArn) ??
      findRepeated(deps, cluster, registration);
    const instance = known
      ? await renew(deps, known, registration, call)
      : await create(deps, {
          registration,
          cluster,
          forgotten: findForgotten(deps, cluster, registration, call),
        });
    if (instance) return instance;
  }
  throw new UnavailableError("the cluster keeps changing");
}

function readRegistration(input: RegistrationInput, call: Call): Registration {
  const document = parseIdentityDocument(input.instanceIdentityDocument);
  if (!document) {
    throw new ApiError("InvalidParameterException", "The instance identity document is not valid.");
  }
  const machine = machineOf(call.principal);
  if (machine !== undefined && (document.instanceId ?? machine) !== machine) {
    throw new ApiError(
      "AccessDeniedException",
      `The instance identity document is not that of ${machine}.`,
    );
  }
  const resources = parseResources(input.totalResources, input.platformDevices);
  if (!resources) {
    throw new ApiError("InvalidParameterException", "totalResources must name CPU and MEMORY.");
  }
  const violation = findTagViolation(input.tags);
  if (violation) throw new ApiError("InvalidParameterException", violation);
  const { clientToken } = input;
  if (clientToken && !isClientToken(clientToken)) {
    throw new ApiError(
      "InvalidParameterException",
      "clientToken has up to 64 printable ASCII characters.",
    );
  }
  return {
    scope: scopeOf(call),
    document,
    ec2InstanceId: machine ?? document.instanceId,
    resources,
    made: { ...(clientToken && { clientToken }), signedAt: call.signedAt },
    input,
  };
}

/** The instance whose ARN the agent kept. One that we do not know (any more) is registered anew under it. */
function findKnown(
  deps: EcsDeps,
  cluster: Cluster,
  arn: string | undefined,
): StoreRecord | undefined {
  if (!arn) return undefined;
  const id = idOf(cluster, "container-instance", arn);
  if (id === undefined) {
    throw new ApiError("InvalidParameterException", "The container instance ARN is not valid.");
  }
  return deps.cache.get(instanceKey(cluster, cluster.name, id));
}

/** The id in an ARN that the agent kept, if ids look so. */
function keptId(cluster: Cluster, arn: string | undefined): string | undefined {
  const id = arn && idOf(cluster, "container-instance", arn);
  return id && /^[0-9a-f]{32}$/.test(id) ? id : undefined;
}

/**
 * The instance that this very registration made before: the agent asks again because it had no answer, or the network
 * delivers a request twice. One that went out of service since is not found by a request signed after it was registered.
 */
function findRepeated(
  deps: EcsDeps,
  cluster: Cluster,
  { ec2InstanceId, made, scope }: Registration,
): StoreRecord | undefined {
  if (made.clientToken === undefined) return undefined;
  return deps.cache
    .lookup("instancesByToken", `${scope.region}/${made.clientToken}`)
    .find(({ value }) => {
      const instance = value as Instance;
      return (
        instance.accountId === scope.accountId &&
        instance.clusterName === cluster.name &&
        (ec2InstanceId ?? instance.id) === instance.ec2InstanceId &&
        (instance.status !== "INACTIVE" || made.signedAt <= signedAtOf(instance))
      );
    });
}

function signedAtOf({ registration }: Instance): number {
  return registration?.signedAt ?? 0;
}

/** An answer that makes the agent come again, with a new signature. */
function comeAgain(message: string): ApiError {
  return new ApiError("ServerException", message, { status: 500 });
}

/**
 * Throws when a registration on record was signed later: whoever is alive gets through by coming again. One that was signed
 * when the clocks were further than a signature may be ahead says nothing: they have been set back since.
 */
function refuseOvertaken({ clock }: EcsDeps, instance: Instance, signedAt: number): void {
  const recordedAt = signedAtOf(instance);
  if (signedAt >= recordedAt || recordedAt > clock.now() + SKEW_MS_MAX) return;
  throw comeAgain(`A later registration of ${instance.ec2InstanceId} is on record.`);
}

async function renew(
  deps: EcsDeps,
  record: StoreRecord,
  registration: Registration,
  call: Call,
): Promise<Instance | undefined> {
  const before = record.value as Instance;
  const { document, resources, input, made } = registration;
  const machine = machineOf(call.principal);
  if (machine !== undefined && machine !== before.ec2InstanceId) {
    throw new ApiError("AccessDeniedException", "The container instance is another machine's.");
  }
  const type = attributeOf(before, "ecs.instance-type");
  if (type !== undefined && document.instanceType !== undefined && type !== document.instanceType) {
    throw new ApiError(
      "InvalidParameterException",
      "Container instance type changes are not supported.",
    );
  }
  refuseOvertaken(deps, before, made.signedAt);
  const { registration: last, retired, ...kept } = before;
  const isDelivery = made.signedAt === last?.signedAt && made.clientToken === last.clientToken;
  if (isDelivery && made.clientToken !== undefined) return before;
  if (before.status === "INACTIVE" && tasksOf(deps.cache, before).length > 0) {
    throw comeAgain("The tasks that the container instance had are still being ended.");
  }
  const after: Instance = {
    registration: made,
    ...kept,
    status: before.status === "INACTIVE" ? "ACTIVE" : before.status,
    // It is not as if it had been silent since it was registered first.
    ...(before.status === "INACTIVE" && { disconnectedAt: deps.clock.now() }),
    ...privateAddressOf(document),
    registered: resources,
    attributes: mergeAttributes(
      before.attributes,
      input.attributes ?? [],
      document,
      defaultHome(deps.cache, registration),
    ),
    versionInfo: { ...before.versionInfo, ...defined(input.versionInfo ?? {}) },
  };
  const seen: Compare[] = [{ key: record.key, revision: record.revision }];
  if (before.status === "INACTIVE") seen.push(clusterAsSeen(deps, before, before.clusterName));
  const isWritten = await commit(deps, seen, [{ key: record.key, value: after }]);
  return isWritten ? after : undefined;
}

/** A cluster cannot be deleted while an instance joins it. */
function clusterAsSeen({ cache }: EcsDeps, scope: Scope, name: string): Compare {
  const key = clusterKey(scope, name);
  return { key, revision: cache.get(key)?.revision ?? 0 };
}

/** Older instances of the same machine in the same cluster, whose agent is the one that now comes without its memory. */
function findForgotten(
  deps: EcsDeps,
  cluster: Cluster,
  { ec2InstanceId, made }: Registration,
  call: Call,
): readonly StoreRecord[] {
  if (ec2InstanceId === undefined) return [];
  const siblings = deps.cache.lookup("instancesByHost", `${cluster.region}/${ec2InstanceId}`);
  // A document proves nothing, and instances of one machine share its capacity: only the machine's own key may join
  // it to those of other accounts.
  const isForeign = siblings.some(
    ({ value }) => (value as Instance).accountId !== cluster.accountId,
  );
  if (isForeign && machineOf(call.principal) === undefined) {
    throw new ApiError("ClientException", `${ec2InstanceId} is a machine of another account.`);
  }
  const forgotten = siblings.filter(({ value }) => {
    const { accountId, clusterName } = value as Instance;
    return accountId === cluster.accountId && clusterName === cluster.name;
  });
  for (const { value } of forgotten) {
    // What a dead process sent must not take its successor's instance out of service.
    refuseOvertaken(deps, value as Instance, made.signedAt);
  }
  return forgotten;
}

function privateAddressOf({ privateIp }: IdentityDocument): { privateIpAddress?: string } {
  return privateIp !== undefined && readAddress(privateIp) !== undefined
    ? { privateIpAddress: privateIp }
    : {};
}

/** Machines of ours are in no VPC: they seem to be where AWS launches what names none. */
function defaultHome(cache: Cache, { scope, document }: Registration): EC2Home | undefined {
  return cache
    .list(subnetsPrefix(scope))
    .map(({ value }) => value as Subnet)
    .find(
      ({ availabilityZone, isDefault }) =>
        isDefault && availabilityZone === document.availabilityZone,
    );
}

async function create(
  deps: EcsDeps,
  plan: { registration: Registration; cluster: Cluster; forgotten: readonly StoreRecord[] },
): Promise<Instance | undefined> {
  const { registration, cluster, forgotten } = plan;
  const { document, resources, input, made } = registration;
  const id = keptId(cluster, input.containerInstanceArn) ?? deps.random.hex(16);
  const now = deps.clock.now();
  const instance: Instance = {
    ...registration.scope,
    clusterName: cluster.name,
    id,
    ec2InstanceId: registration.ec2InstanceId ?? id,
    ...privateAddressOf(document),
    status: "ACTIVE",
    agentConnected: false,
    // What indexes read stands first.
    registration: made,
    registered: resources,
    attributes: mergeAttributes(
      [],
      input.attributes ?? [],
      document,
      defaultHome(deps.cache, registration),
    ),
    versionInfo: defined(input.versionInfo ?? {}),
    registeredAt: now,
    tags: normaliseTags(input.tags),
  };
  const key = instanceKey(instance, cluster.name, id);
  // A registration that comes twice at once, or two processes', would not see each other's instance: one of them looks again.
  const hostAt = hostKey(cluster.region, instance.ec2InstanceId);
  const host = deps.cache.get(hostAt);
  const fresh: Host = { ec2InstanceId: instance.ec2InstanceId, placements: 0 };
  const ends: Write[] = forgotten.map((record) => ({
    key: record.key,
    value: retire(record.value as Instance, {
      at: now,
      stopCode: "TerminationNotice",
      reason: "The container instance was registered anew and no longer knows the task.",
    }),
  }));
  const isWritten = await commit(
    deps,
    [
      { key, revision: 0 },
      clusterAsSeen(deps, cluster, cluster.name),
      { key: hostAt, revision: host?.revision ?? 0 },
      ...forgotten.map((record) => ({ key: record.key, revision: record.revision })),
    ],
    [{ key, value: instance }, { key: hostAt, value: host?.value ?? fresh }, ...ends],
  );
  return isWritten ? instance : undefined;
}
