import type { RegisterContainerInstanceCommandInput } from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { machineOf } from "../../iam/model.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import type { StoreRecord, Write } from "../../store/store.ts";
import type { EcsDeps } from "../control/deps.ts";
import { commit, updateRecord } from "../control/update.ts";
import { advance } from "../model/advance.ts";
import { parseArn } from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import { defined } from "../model/defined.ts";
import { attributeOf, type HostResources, type Instance } from "../model/instance.ts";
import { clusterKey, instanceKey, type Scope } from "../model/keys.ts";
import { DEFAULT_CLUSTER } from "../model/names.ts";
import {
  type IdentityDocument,
  mergeAttributes,
  parseIdentityDocument,
  parseResources,
} from "../model/registration.ts";
import { requestStop } from "../model/request-stop.ts";
import { findTagViolation, normaliseTags } from "../model/tags.ts";
import type { Task } from "../model/task.ts";

/** Lost races in a row before the agent is asked to come again. */
const ATTEMPTS_MAX = 10;

/** A registration whose words have been understood. */
interface Registration {
  readonly scope: Scope;
  readonly clusterName: string;
  readonly document: IdentityDocument;
  /** The machine that the caller has proved to be, or says it is; undefined when nobody says. */
  readonly ec2InstanceId: string | undefined;
  readonly resources: HostResources;
  readonly input: RegisterContainerInstanceCommandInput;
}

/**
 * Registers an agent's machine in a cluster, or takes note of what has changed since. An agent that names its ARN keeps
 * it, and one that comes back without has lost its memory: it gets a new instance, and the tasks of the old one, which
 * it will never report on, end. Returns the instance as it now stands.
 */
export async function registerContainerInstance(
  deps: EcsDeps,
  input: RegisterContainerInstanceCommandInput,
  call: Call,
): Promise<Instance> {
  const registration = readRegistration(input, call);
  const { scope, clusterName } = registration;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const cluster = requireCluster(deps, scope, clusterName);
    const known = findKnown(deps, registration);
    if (known) {
      const instance = await renew(deps, known, registration, call);
      if (instance) return instance;
      continue;
    }
    const forgotten = findForgotten(deps, registration, call);
    for (const { key } of forgotten) await loseTasks(deps, key);
    const instance = await create(deps, { registration, cluster, forgotten });
    if (instance) return instance;
  }
  throw new UnavailableError(`cluster ${clusterName} keeps changing`);
}

function readRegistration(input: RegisterContainerInstanceCommandInput, call: Call): Registration {
  const { principal, region } = call;
  const document = parseIdentityDocument(input.instanceIdentityDocument);
  if (!document) {
    throw new ApiError("InvalidParameterException", "The instance identity document is not valid.");
  }
  const machine = machineOf(principal);
  if (machine !== undefined && (document.instanceId ?? machine) !== machine) {
    throw new ApiError(
      "AccessDeniedException",
      `The instance identity document is not that of ${machine}.`,
    );
  }
  const resources = parseResources(input.totalResources);
  if (!resources) {
    throw new ApiError("InvalidParameterException", "totalResources must name CPU and MEMORY.");
  }
  const violation = findTagViolation(input.tags);
  if (violation) throw new ApiError("InvalidParameterException", violation);
  const cluster = input.cluster ?? DEFAULT_CLUSTER;
  return {
    scope: { accountId: principal.accountId, region },
    clusterName: parseArn(cluster)?.path[0] ?? cluster,
    document,
    ec2InstanceId: machine ?? document.instanceId,
    resources,
    input,
  };
}

/** Agents know this answer: an agent without a configured cluster then creates `default` and comes again. */
function requireCluster(deps: EcsDeps, scope: Scope, name: string): StoreRecord {
  const record = deps.cache.get(clusterKey(scope, name));
  if (!record) throw new ApiError("ClusterNotFoundException", "Cluster not found.");
  if ((record.value as Cluster).status !== "ACTIVE") {
    throw new ApiError("ClusterNotFoundException", "The referenced cluster was inactive.");
  }
  return record;
}

/** The instance whose ARN the agent kept. One that we do not know (any more) is registered anew. */
function findKnown(deps: EcsDeps, registration: Registration): StoreRecord | undefined {
  const { scope, clusterName, input } = registration;
  if (!input.containerInstanceArn) return undefined;
  const arn = parseArn(input.containerInstanceArn);
  const [cluster, id] = arn?.path ?? [];
  if (arn?.type !== "container-instance" || id === undefined || cluster !== clusterName) {
    throw new ApiError("InvalidParameterException", "The container instance ARN is not valid.");
  }
  if (arn.accountId !== scope.accountId || arn.region !== scope.region) {
    throw new ApiError("AccessDeniedException", "The container instance is not yours.");
  }
  return deps.cache.get(instanceKey(scope, clusterName, id));
}

async function renew(
  deps: EcsDeps,
  record: StoreRecord,
  registration: Registration,
  call: Call,
): Promise<Instance | undefined> {
  const before = record.value as Instance;
  const { document, resources, input } = registration;
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
  const after: Instance = {
    ...before,
    status: before.status === "INACTIVE" ? "ACTIVE" : before.status,
    registered: resources,
    attributes: mergeAttributes(before.attributes, input.attributes ?? [], document),
    versionInfo: { ...before.versionInfo, ...defined(input.versionInfo ?? {}) },
  };
  const isWritten = await commit(
    deps,
    [{ key: record.key, revision: record.revision }],
    [{ key: record.key, value: after }],
  );
  return isWritten ? after : undefined;
}

/** Older instances of the same machine in the same cluster, whose agent is the one that now comes without its memory. */
function findForgotten(
  deps: EcsDeps,
  { scope, clusterName, ec2InstanceId }: Registration,
  call: Call,
): readonly StoreRecord[] {
  if (ec2InstanceId === undefined) return [];
  const siblings = deps.cache.lookup("instancesByHost", `${scope.region}/${ec2InstanceId}`);
  // A document proves nothing, and instances of one machine share its capacity: only the machine's own key may join
  // it to those of other accounts.
  const isForeign = siblings.some(({ value }) => (value as Instance).accountId !== scope.accountId);
  if (isForeign && machineOf(call.principal) === undefined) {
    throw new ApiError("ClientException", `${ec2InstanceId} is a machine of another account.`);
  }
  return siblings.filter(({ value }) => {
    const sibling = value as Instance;
    return sibling.accountId === scope.accountId && sibling.clusterName === clusterName;
  });
}

/** Before the instance itself ends: a crash in between leaves the agent to register, and us to do this, again. */
async function loseTasks(deps: EcsDeps, key: string): Promise<void> {
  for (const { key: taskKey } of deps.cache.lookup("tasksByInstance", key)) {
    await updateRecord<Task>(deps, taskKey, (task) => {
      if (task.lastStatus === "STOPPED") return task;
      const now = deps.clock.now();
      const reason = "The container instance was registered anew and no longer knows the task.";
      const stopped = requestStop(task, { stopCode: "TerminationNotice", reason, now });
      return advance(stopped, { event: "abandoned" }, now);
    });
  }
}

async function create(
  deps: EcsDeps,
  plan: { registration: Registration; cluster: StoreRecord; forgotten: readonly StoreRecord[] },
): Promise<Instance | undefined> {
  const { registration, cluster, forgotten } = plan;
  const { scope, clusterName, document, resources, input } = registration;
  const id = deps.random.hex(16);
  const instance: Instance = {
    ...scope,
    clusterName,
    id,
    ec2InstanceId: registration.ec2InstanceId ?? id,
    status: "ACTIVE",
    agentConnected: false,
    registered: resources,
    attributes: mergeAttributes([], input.attributes ?? [], document),
    versionInfo: defined(input.versionInfo ?? {}),
    registeredAt: deps.clock.now(),
    tags: normaliseTags(input.tags),
  };
  const key = instanceKey(scope, clusterName, id);
  const ends: Write[] = forgotten.map((record) => ({
    key: record.key,
    value: { ...(record.value as Instance), status: "INACTIVE", agentConnected: false },
  }));
  const isWritten = await commit(
    deps,
    [
      { key, revision: 0 },
      { key: cluster.key, revision: cluster.revision },
      ...forgotten.map((record) => ({ key: record.key, revision: record.revision })),
    ],
    [{ key, value: instance }, ...ends],
  );
  return isWritten ? instance : undefined;
}
