import { ApiError, UnavailableError } from "../../lib/errors.ts";
import { commit } from "../../store/commit.ts";
import type { Compare, StoreRecord, Write } from "../../store/store.ts";
import { instanceArn } from "../model/arn.ts";
import type { Cluster } from "../model/cluster.ts";
import { gpuCountsOf } from "../model/gpus.ts";
import type { Host } from "../model/instance.ts";
import {
  clusterKey,
  hostKey,
  instanceKey,
  runTokenKey,
  taskDefinitionKey,
  taskKey,
} from "../model/keys.ts";
import { needsOf, newTask, type TaskSpec } from "../model/new-task.ts";
import type { RunToken, Task } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { placementAttributesOf } from "../model/task-definition-attributes.ts";
import { type Placements, place } from "../scheduler/place.ts";
import type { Placed, PlacementRequest, Refusal } from "../scheduler/snapshot.ts";
import type { EcsDeps } from "./deps.ts";
import { boardOf, groupOnBoard, PlacementBoards } from "./placement-boards.ts";
import {
  type ClusterName,
  explainPlacement,
  type PlacementExplanation,
  PlacementExplanations,
  summaryOf,
} from "./placement-explanations.ts";
import { findRunToken } from "./run-tokens.ts";

/** Tasks that want to be placed. */
export interface PlaceTasksRequest
  extends Pick<PlacementRequest, "count" | "subnets" | "constraints" | "strategies"> {
  readonly spec: TaskSpec;
  /** Only these container instances come into question. */
  readonly instanceIds?: readonly string[];
  /** Whose task each is, in turn, where a strategy chose. */
  readonly capacityProviders?: readonly string[];
  /** Makes the request one that can be repeated. */
  readonly token?: { readonly clientToken: string; readonly requestHash: string };
}

export interface PlacementFailure {
  /** Of the container instance; empty where users must not see it. */
  readonly arn: string;
  readonly reason: string;
  readonly detail: string;
}

export type PlaceTasksResult =
  | {
      readonly outcome: "placed";
      readonly tasks: readonly Task[];
      readonly failures: readonly PlacementFailure[];
    }
  /** The client token stands for an earlier request, equal to this one or not: nothing was done. */
  | { readonly outcome: "tokenSeen"; readonly token: RunToken };

interface PlacementDeps extends EcsDeps {
  readonly boards: PlacementBoards;
  readonly explanations: PlacementExplanations;
}

/** Lost races in a row against other servers. */
const ATTEMPTS_MAX = 5;
/** Chosen: requests that wait for their turn; at some thousand placements a second, seconds of work. */
const WAITING_MAX = 10_000;
/** Chosen: what one answer, and one token's record, holds of one call's refusals. */
const FAILURES_MAX = 1000;

/**
 * The one binder: whoever wants tasks to run asks here. Placement is optimistic: a snapshot, a pure decision, and one
 * transaction that compares and rewrites the `Host` record of each machine used. Any server may place at any time, and two
 * placements cannot both take a machine's last MiB. Within one server requests take turns, since all of them would want
 * the same machines and all but one would have to start over.
 */
export class Placer {
  readonly #deps: PlacementDeps;
  #turn: Promise<unknown> = Promise.resolve();
  #waitingCount = 0;

  constructor(deps: EcsDeps) {
    this.#deps = {
      ...deps,
      boards: new PlacementBoards(deps.cache),
      explanations: new PlacementExplanations(),
    };
  }

  /** Why tasks of a cluster found no place, the newest first. */
  explanations(cluster: ClusterName): readonly PlacementExplanation[] {
    return this.#deps.explanations.of(cluster);
  }

  /**
   * Places what fits and says for the rest why not. The cache shows the tasks when it resolves. Throws
   * ClusterNotFoundException, ClientException (definition deleted), InvalidParameterException (EC2 without any instance), ThrottlingException, and
   * UnavailableError when the store keeps changing.
   */
  async placeTasks(request: PlaceTasksRequest): Promise<PlaceTasksResult> {
    if (this.#waitingCount >= WAITING_MAX) {
      throw new ApiError("ThrottlingException", "Rate exceeded");
    }
    this.#waitingCount++;
    const result = this.#turn
      .then(() => placeTasks(this.#deps, request))
      .finally(() => {
        this.#waitingCount--;
      });
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

async function placeTasks(
  deps: PlacementDeps,
  request: PlaceTasksRequest,
): Promise<PlaceTasksResult> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const token = request.token && findRunToken(deps, request.spec, request.token.clientToken);
    if (token) return { outcome: "tokenSeen", token };
    const cluster = activeCluster(deps, request.spec);
    const definition = usableDefinition(deps, request.spec);
    const placements = decide(deps, request);
    const tasks = placements.placed.map((placed, index) =>
      taskFor(deps, request.spec, placed, request.capacityProviders?.[index]),
    );
    const failures = failuresOf(request.spec, placements);
    const { compare, write } = transactionFor(deps, request, {
      seen: [cluster, definition],
      tasks,
      failures,
    });
    if (write.length === 0 || (await commit(deps, compare, write))) {
      if (placements.unplacedCount > 0) {
        deps.explanations.keep(explainPlacement(request, placements, deps.clock.now()));
      }
      return { outcome: "placed", tasks, failures };
    }
  }
  throw new UnavailableError("placement: the machines' records keep changing");
}

function activeCluster(deps: EcsDeps, spec: TaskSpec): StoreRecord {
  const record = deps.cache.get(clusterKey(spec, spec.clusterName));
  if (!record) throw new ApiError("ClusterNotFoundException", "Cluster not found.");
  if ((record.value as Cluster).status === "ACTIVE") return record;
  throw new ApiError("ClusterNotFoundException", "The referenced cluster was inactive.");
}

/** A definition that is being deleted goes when its last task has stopped: none may follow. */
function usableDefinition(deps: EcsDeps, { definition }: TaskSpec): StoreRecord {
  const { family, revision } = definition;
  const record = deps.cache.get(taskDefinitionKey(definition, family, revision));
  const status = (record?.value as TaskDefinition | undefined)?.status;
  if (record && status !== "DELETE_IN_PROGRESS") return record;
  throw new ApiError("ClientException", "TaskDefinition not found.");
}

function decide(deps: PlacementDeps, request: PlaceTasksRequest): Placements {
  const { spec, instanceIds, count, subnets, constraints, strategies } = request;
  const board = instanceIds ? boardOf(deps.cache, spec, instanceIds) : deps.boards.boardFor(spec);
  if (board.size === 0 && spec.launchType !== "FARGATE") {
    throw new ApiError(
      "InvalidParameterException",
      "No Container Instances were found in your cluster.",
    );
  }
  return place(
    board,
    {
      count,
      needs: needsOf(spec),
      gpuCount: gpuCountsOf(spec.definition.document, spec.overrides).reduce((a, b) => a + b, 0),
      attributes: placementAttributesOf(spec.definition.document, spec),
      group: groupOnBoard(spec),
      constraints,
      strategies,
      ...(subnets && { subnets }),
    },
    deps.random,
  );
}

function taskFor(
  { random, clock }: EcsDeps,
  spec: TaskSpec,
  placed: Placed,
  capacityProviderName: string | undefined,
): Task {
  return newTask(spec, placed, {
    id: random.hex(16),
    attachmentId: random.uuid(),
    containerUuids: (spec.definition.document.containerDefinitions ?? []).map(() => random.uuid()),
    createdAt: clock.now(),
    capacityProviderName,
  });
}

/**
 * Each unplaced task fails once on every instance tried. FARGATE has no instances that a user could see: there it fails
 * once, for the reason that came nearest to success. Either way the detail also says how it went everywhere.
 */
function failuresOf(
  spec: TaskSpec,
  { unplacedCount, refusals }: Placements,
): readonly PlacementFailure[] {
  const summary = summaryOf(refusals);
  const ofOneTask =
    spec.launchType === "FARGATE"
      ? [nearest(refusals, summary)]
      : refusals.map(({ instance, reason, detail }) => ({
          arn: instanceArn(instance, instance.clusterName, instance.id),
          reason,
          detail: `${detail} (${summary})`,
        }));
  return Array.from({ length: unplacedCount }, () => ofOneTask)
    .flat()
    .slice(0, FAILURES_MAX);
}

function nearest(refusals: readonly Refusal[], summary: string): PlacementFailure {
  const [best] = refusals.toSorted((a, b) => b.passed.length - a.passed.length);
  return best
    ? { arn: "", reason: best.reason, detail: `${best.detail} (${summary})` }
    : { arn: "", reason: "RESOURCE:FARGATE", detail: "no machine offers FARGATE capacity" };
}

/** What has to be as it was seen, and what is then written. */
function transactionFor(
  deps: EcsDeps,
  { spec, token }: PlaceTasksRequest,
  decided: {
    readonly seen: readonly StoreRecord[];
    readonly tasks: readonly Task[];
    readonly failures: readonly PlacementFailure[];
  },
): { compare: readonly Compare[]; write: readonly Write[] } {
  const { seen, tasks, failures } = decided;
  // Clusters and definitions are deleted, instances drained and deregistered by a write: after it nothing is placed there.
  const compare: Compare[] = seen.map(({ key, revision }) => ({ key, revision }));
  const write: Write[] = tasks.map((task) => ({
    key: taskKey(task, task.clusterName, task.id),
    value: task,
  }));
  for (const key of new Set(tasks.map(keyOfInstance))) compare.push(asSeen(deps, key));
  for (const ec2InstanceId of new Set(tasks.map((task) => task.placement.ec2InstanceId))) {
    const key = hostKey(spec.region, ec2InstanceId);
    const host = deps.cache.get(key)?.value as Host | undefined;
    compare.push(asSeen(deps, key));
    write.push({
      key,
      value: { ec2InstanceId, placements: (host?.placements ?? 0) + 1 } satisfies Host,
    });
  }
  if (token) {
    const key = runTokenKey(spec, spec.clusterName, token.clientToken);
    compare.push(asSeen(deps, key));
    write.push({
      key,
      value: {
        requestHash: token.requestHash,
        taskIds: tasks.map(({ id }) => id),
        failures,
        createdAt: deps.clock.now(),
      } satisfies RunToken,
    });
  }
  return { compare, write };
}

function keyOfInstance({ placement: { instance } }: Task): string {
  return instanceKey(instance, instance.clusterName, instance.id);
}

function asSeen({ cache }: EcsDeps, key: string): Compare {
  return { key, revision: cache.get(key)?.revision ?? 0 };
}
