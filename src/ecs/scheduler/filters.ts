import { availabilityZoneOf } from "../model/instance.ts";
import { matchesQuery } from "../model/query.ts";
import type { Expression } from "../model/query-parse.ts";
import type { FilterName } from "./filter-name.ts";
import { type Candidate, gpusLeft, type PlacementRequest, remainingAmount } from "./snapshot.ts";

/** One thing an instance must be or have to take a task. */
export interface Filter {
  /** As explanations call it. */
  readonly name: FilterName;
  readonly check: (candidate: Candidate, request: PlacementRequest) => boolean;
  /** Why not, in ECS's word and in ours. Only asked after `check` said no. */
  readonly explain: (candidate: Candidate, request: PlacementRequest) => Explanation;
}

export interface Explanation {
  readonly reason: string;
  readonly detail: string;
}

const hasAgent: Filter = {
  name: "agent",
  check: ({ instance, unconfirmedCount }) =>
    instance.status === "ACTIVE" && instance.agentConnected && unconfirmedCount === 0,
  explain: ({ instance, unconfirmedCount }) => {
    if (instance.status !== "ACTIVE") return agent(`the instance is ${instance.status}`);
    if (!instance.agentConnected) return agent("the agent is not connected");
    return agent(`the machine was lost and has yet to end ${unconfirmedCount} of its old tasks`);
  },
};

function agent(detail: string): Explanation {
  return { reason: "AGENT", detail };
}

const hasCpu = hasAmount("cpuUnits", "cpu", "RESOURCE:CPU", "CPU units");
const hasMemory = hasAmount("memoryMiB", "memory", "RESOURCE:MEMORY", "MiB");

function hasAmount(
  amount: "cpuUnits" | "memoryMiB",
  name: FilterName,
  reason: string,
  unit: string,
): Filter {
  const remaining = (candidate: Candidate): number => remainingAmount(candidate, amount);
  return {
    name,
    check: (candidate, { needs }) => needs[amount] === 0 || needs[amount] <= remaining(candidate),
    explain: (candidate, { needs }) => ({
      reason,
      detail: `${needs[amount]} ${unit} exceed the remaining ${Math.max(0, remaining(candidate))} ${unit}`,
    }),
  };
}

const hasGpus: Filter = {
  name: "gpu",
  check: (candidate, { gpuCount = 0 }) => gpusLeft(candidate).length >= gpuCount,
  explain: (candidate, { gpuCount = 0 }) => ({
    reason: "RESOURCE:GPU",
    detail: `${gpuCount} GPUs exceed the remaining ${gpusLeft(candidate).length}`,
  }),
};

const hasPorts = hasFree("ports", "ports", "RESOURCE:PORTS");
const hasPortsUdp = hasFree("portsUdp", "udp ports", "RESOURCE:PORTS_UDP");

function hasFree(kind: "ports" | "portsUdp", name: FilterName, reason: string): Filter {
  const protocol = kind === "ports" ? "TCP" : "UDP";
  const clashes = (candidate: Candidate, request: PlacementRequest): readonly number[] => {
    if (request.needs[kind].length === 0) return [];
    const { instance, taken } = candidate;
    return request.needs[kind].filter(
      (port) => instance.registered[kind].includes(port) || taken[kind].includes(port),
    );
  };
  return {
    name,
    check: (candidate, request) => clashes(candidate, request).length === 0,
    explain: (candidate, request) => ({
      reason,
      detail: `${protocol} port ${clashes(candidate, request).join(", ")} is in use`,
    }),
  };
}

const hasAttributes: Filter = {
  name: "attributes",
  check: (candidate, request) => missingAttributes(candidate, request).length === 0,
  explain: (candidate, request) => ({
    reason: "ATTRIBUTE",
    detail: `the instance lacks ${missingAttributes(candidate, request).join(", ")}`,
  }),
};

function missingAttributes(
  { instance }: Candidate,
  { attributes }: PlacementRequest,
): readonly string[] {
  return attributes
    .filter(
      ({ name, value }) =>
        !instance.attributes.some(
          (own) => own.name === name && (value === undefined || own.value === value),
        ),
    )
    .map(({ name, value }) => (value === undefined ? name : `${name}=${value}`));
}

const isInZone: Filter = {
  name: "zone",
  check: ({ instance }, { subnets }) =>
    subnets === undefined ||
    subnets.some(({ availabilityZone }) => availabilityZone === availabilityZoneOf(instance)),
  explain: ({ instance }) => ({
    reason: "LOCATION",
    detail: `no subnet given is in ${availabilityZoneOf(instance) ?? "the instance's unknown zone"}`,
  }),
};

const isDistinct: Filter = {
  name: "distinctInstance",
  check: ({ groups }, { constraints, group }) =>
    (groups.get(group) ?? 0) === 0 || !constraints.some(({ type }) => type === "distinctInstance"),
  explain: (_, { group }) => ({
    reason: "DistinctInstance placement constraint unsatisfied.",
    detail: `the instance has a task of group ${group} already`,
  }),
};

const isMember: Filter = {
  name: "memberOf",
  check: (candidate, { constraints }) =>
    constraints.every(
      (constraint) => constraint.type !== "memberOf" || isOf(candidate, constraint.expression),
    ),
  explain: () => ({
    reason: "MemberOf placement constraint unsatisfied.",
    detail: "the instance does not match the expression",
  }),
};

function isOf(candidate: Candidate, expression: Expression): boolean {
  const { instance, runningTasksCount, groups } = candidate;
  return matchesQuery(expression, { instance, runningTasksCount, groups: [...groups.keys()] });
}

/** Whether an expression asks only for what all candidates of one kind have in common (`kinds.ts`). */
export function isAboutKind(expression: Expression): boolean {
  switch (expression.kind) {
    case "and":
    case "or":
      return isAboutKind(expression.left) && isAboutKind(expression.right);
    case "not":
      return isAboutKind(expression.operand);
    case "comparison":
      return expression.subject.startsWith("attribute:") || expression.subject === "agentConnected";
  }
}

/** The constraints that each candidate has to be asked for itself. */
export function passesDynamicConstraints(
  candidate: Candidate,
  { constraints }: PlacementRequest,
): boolean {
  return constraints.every(
    (constraint) =>
      constraint.type !== "memberOf" ||
      isAboutKind(constraint.expression) ||
      isOf(candidate, constraint.expression),
  );
}

/** What all candidates of one kind answer alike. */
export const KIND_FILTERS: readonly Filter[] = [hasAgent, hasAttributes, isInZone, isMember];

/** ECS's order (`ecs-behaviour` §4.1): the first that says no is the reason a user sees. */
export const FILTERS: readonly Filter[] = [
  hasAgent,
  hasCpu,
  hasMemory,
  hasGpus,
  hasPorts,
  hasPortsUdp,
  hasAttributes,
  isInZone,
  isDistinct,
  isMember,
];
