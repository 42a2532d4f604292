import type {
  CapacityProviderStrategyItem,
  LaunchType as GivenLaunchType,
} from "@aws-sdk/client-ecs";
import { isFargateProvider } from "../model/capacity-provider.ts";
import { canPlace, type StrategyItem } from "../model/capacity-strategy.ts";
import type { Cluster } from "../model/cluster.ts";
import type { LaunchType } from "../model/task.ts";
import { readStrategy } from "./cluster-capacity.ts";
import { invalid } from "./invalid.ts";

/** What tasks run on. */
export interface Compute {
  readonly launchType: LaunchType;
  /** Whose tasks they are; empty where no strategy chooses. */
  readonly strategy: readonly StrategyItem[];
}

/** What a caller says of it. */
interface GivenCompute {
  readonly launchType?: GivenLaunchType | undefined;
  readonly capacityProviderStrategy?: readonly CapacityProviderStrategyItem[] | undefined;
}

/** Where tasks run that are started on instances by name. */
export const ON_INSTANCES: Compute = { launchType: "EC2", strategy: [] };

/**
 * The launch type or the strategy that a caller names, else the cluster's strategy, else its own instances. Throws
 * InvalidParameterException for what cannot be.
 */
export function readCompute(cluster: Cluster, given: GivenCompute): Compute {
  const hasStrategy = Boolean(given.capacityProviderStrategy?.length);
  if (given.launchType) {
    if (!hasStrategy) return { launchType: readLaunchType(given.launchType), strategy: [] };
    throw invalid("Specify either Launch Type or Capacity Provider Strategy, but not both.");
  }
  const strategy = hasStrategy
    ? readStrategy(cluster, cluster.capacityProviders ?? [], given.capacityProviderStrategy)
    : (cluster.defaultCapacityProviderStrategy ?? []);
  if (strategy.length === 0) return ON_INSTANCES;
  if (!canPlace(strategy)) {
    throw invalid(
      "A capacity provider strategy with multiple capacity providers must have at least one with a weight greater than 0.",
    );
  }
  if (strategy.every(({ capacityProvider }) => isFargateProvider(capacityProvider))) {
    return { launchType: "FARGATE", strategy };
  }
  throw invalid(
    "Capacity providers with Auto Scaling groups cannot place tasks yet: use FARGATE, FARGATE_SPOT or a launch type.",
  );
}

function readLaunchType(launchType: GivenLaunchType): LaunchType {
  if (launchType === "EC2" || launchType === "FARGATE" || launchType === "EXTERNAL") {
    return launchType;
  }
  if (launchType === "MANAGED_INSTANCES") {
    throw invalid(`Launch type ${launchType} is not available yet: use EC2, FARGATE or EXTERNAL.`);
  }
  throw invalid("launch type should be one of [EC2,FARGATE,EXTERNAL]");
}
