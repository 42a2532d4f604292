import type { PlacementConstraint, PlacementStrategy } from "@aws-sdk/client-ecs";
import { parseQuery } from "../model/query-parse.ts";
import type { LaunchType } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { PLACEMENT_CONSTRAINTS_MAX } from "../model/task-definition-rules.ts";
import type { Constraint, Strategy } from "../scheduler/snapshot.ts";
import { invalid } from "./invalid.ts";

/** ECS: strategies of one request. */
const STRATEGIES_MAX = 5;

/** What a caller says about where tasks go. */
export interface PlacementChoices {
  readonly placementConstraints?: readonly PlacementConstraint[] | undefined;
  readonly placementStrategy?: readonly PlacementStrategy[] | undefined;
}

/** The caller's constraints and those of the definition, ready to be asked. Throws InvalidParameterException. */
export function readConstraints(
  { placementConstraints = [] }: PlacementChoices,
  { document }: TaskDefinition,
  launchType: LaunchType,
): readonly Constraint[] {
  if (launchType === "FARGATE") {
    if (placementConstraints.length === 0) return [];
    throw invalid("Placement constraints are not supported with FARGATE launch type.");
  }
  const all = [...(document.placementConstraints ?? []), ...placementConstraints];
  if (all.length > PLACEMENT_CONSTRAINTS_MAX) {
    throw invalid(`A task can have at most ${PLACEMENT_CONSTRAINTS_MAX} placement constraints.`);
  }
  return all.map(({ type, expression }): Constraint => {
    if (type === "memberOf") return { type, expression: parseQuery(expression ?? "") };
    if (type !== "distinctInstance") throw invalid(`Unknown placement constraint type '${type}'.`);
    if (expression) throw invalid("A distinctInstance placement constraint has no expression.");
    return { type };
  });
}

/** FARGATE spreads over the zones of its subnets; otherwise chance decides where nothing is said. */
export function readStrategies(
  { placementStrategy = [] }: PlacementChoices,
  launchType: LaunchType,
): readonly Strategy[] {
  if (launchType === "FARGATE") {
    if (placementStrategy.length > 0) {
      throw invalid("Placement strategies are not supported with FARGATE launch type.");
    }
    return [{ type: "spread", attribute: "ecs.availability-zone" }];
  }
  if (placementStrategy.length > STRATEGIES_MAX) {
    throw invalid(`A task can have at most ${STRATEGIES_MAX} placement strategies.`);
  }
  return placementStrategy.map(readStrategy);
}

function readStrategy({ type, field = "" }: PlacementStrategy): Strategy {
  switch (type) {
    case "random":
      if (field) throw invalid("The random placement strategy has no field.");
      return { type };
    case "spread":
      if (/^(instanceId|host)$/i.test(field)) return { type, attribute: undefined };
      if (/^attribute:.+$/.test(field))
        return { type, attribute: field.slice("attribute:".length) };
      throw invalid(`The spread placement strategy cannot spread over '${field}'.`);
    case "binpack":
      if (/^cpu$/i.test(field)) return { type, resource: "cpuUnits" };
      if (/^memory$/i.test(field)) return { type, resource: "memoryMiB" };
      throw invalid("The field of the binpack placement strategy is cpu or memory.");
    default:
      throw invalid(`Unknown placement strategy type '${type}'.`);
  }
}
