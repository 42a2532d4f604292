import type { Service } from "../../door/service.ts";
import type { EcsDeps } from "../control/deps.ts";
import { Placer } from "../control/placement.ts";
import { withAccessRules } from "./access-rules.ts";
import { accountSettingOperations } from "./account-settings.ts";
import { attributeOperations } from "./attributes.ts";
import { capacityProviderOperations } from "./capacity-providers.ts";
import { clusterUpdateOperations } from "./cluster-updates.ts";
import { clusterOperations } from "./clusters.ts";
import { containerInstanceOperations } from "./container-instances.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { runTaskOperations } from "./run-task.ts";
import { taggingOperations } from "./tagging.ts";
import { taskDefinitionOperations } from "./task-definitions.ts";
import { taskProtectionOperations } from "./task-protection.ts";
import { taskOperations } from "./tasks.ts";

/**
 * Amazon ECS as the door serves it: the operations that users call, and beside them those of the agents. `placer`: where its
 * owner also wants to ask for explanations.
 */
export function ecsService(
  deps: EcsDeps,
  agentOperations: EcsOperations,
  placer: Placer = new Placer(deps),
): Service {
  return {
    name: "ecs",
    operations: withAccessRules(deps, {
      ...accountSettingOperations(deps),
      ...attributeOperations(deps),
      ...capacityProviderOperations(deps),
      ...clusterOperations(deps),
      ...clusterUpdateOperations(deps),
      ...taggingOperations(deps),
      ...taskDefinitionOperations(deps),
      ...containerInstanceOperations(deps),
      ...runTaskOperations(deps, placer),
      ...taskOperations(deps),
      ...taskProtectionOperations(deps),
      ...agentOperations,
    }),
  };
}
