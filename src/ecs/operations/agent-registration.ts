import type { RegisterContainerInstanceCommandInput } from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { machineOf } from "../../iam/model/access-key.ts";
import { ApiError, UnavailableError } from "../../lib/errors.ts";
import { commit, updateRecord } from "../../store/commit.ts";
import type { StoreRecord, Write } from "../../store/store.ts";
import type { EcsDeps } from "../control/deps.ts";
import { advance } from "../model/advance.ts";
import type { Cluster } from "../model/cluster.ts";
import { defined } from "../model/defined.ts";
import { attributeOf, type HostResources, type Instance } from "../model/instance.ts";
import { clusterKey, instanceKey, type Scope } from "../model/keys.ts";
import {
  type IdentityDocument,
  mergeAttributes,
  parseIdentityDocument,
  parseResources,
} from "../model/registration.ts";
import { requestStop } from "../model/request-stop.ts";
import { findTagViolation, normaliseTags } from "../model/tags.ts";
import type { Task } from "../model/task.ts";
import { idOf, requireCluster, scopeOf } from "./resolve.ts";

/** Lost races in a row before the agent is asked to come again. */
const ATTEMPTS_MAX = 10;

/** A registration whose words have been understood. */
interface Registration {
  readonly scope: Scope;
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
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // Agents know what this throws: one without a configured cluster then creates `default` and comes again.
    const cluster = requireCluster(deps.cache, registration.scope, input.cluster);
    const known = findKnown(deps, cluster, input.containerInstanceArn);
    if (known) {
      const instance = await renew(deps, known, registration, call);
      if (instance) return instance;
      continue;
    }
    const forgotten = findForgotten(deps, cluster, registration.ec2InstanceId, call);
    for (const { key } of forgotten) await loseTasks(deps, key);
    const instance = await create(deps, { registration, cluster, forgotten });
    if (instance) return instance;
  }
  throw new UnavailableError("the cluster keeps changing");
}

function readRegistration(input: RegisterContainerInstanceCommandInput, call: Call): Registration {
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
  const resources = parseResources(input.totalResources);
  if (!resources) {
    throw new ApiError("InvalidParameterException", "totalResources must name CPU and MEMORY.");
  }
  const violation = findTagViolation(input.tags);
  if (violation) throw new ApiError("InvalidParameterException", violation);
  return {
    scope: scopeOf(call),
    document,
    ec2InstanceId: machine ?? document.instanceId,
    resources,
    input,
  };
}

/** The instance whose ARN the agent kept. One that we do not know (any more) is registered anew. */
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
  cluster: Cluster,
  ec2InstanceId: string | undefined,
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
  return siblings.filter(({ value }) => {
    const { accountId, clusterName } = value as Instance;
    return accountId === cluster.accountId && clusterName === cluster.name;
  });
}

/** Before the instance itself ends: a crash in between leaves the agent to register, and us to do this, again. */
async function loseTasks(deps: EcsDeps, key: string): Promise<void> {
  for (const { key: taskKey } of deps.cache.lookup("liveTasksByInstance", key)) {
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
  plan: { registration: Registration; cluster: Cluster; forgotten: readonly StoreRecord[] },
): Promise<Instance | undefined> {
  const { registration, cluster, forgotten } = plan;
  const { document, resources, input } = registration;
  const id = deps.random.hex(16);
  const instance: Instance = {
    ...registration.scope,
    clusterName: cluster.name,
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
  const key = instanceKey(instance, cluster.name, id);
  const holder = clusterKey(cluster, cluster.name);
  const ends: Write[] = forgotten.map((record) => ({
    key: record.key,
    value: { ...(record.value as Instance), status: "INACTIVE", agentConnected: false },
  }));
  const isWritten = await commit(
    deps,
    [
      { key, revision: 0 },
      // A cluster cannot be deleted while an instance joins it.
      { key: holder, revision: deps.cache.get(holder)?.revision ?? 0 },
      ...forgotten.map((record) => ({ key: record.key, revision: record.revision })),
    ],
    [{ key, value: instance }, ...ends],
  );
  return isWritten ? instance : undefined;
}
