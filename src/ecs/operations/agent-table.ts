import type { ContainerInstance } from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ACS_PATH, TCS_PATH } from "../../protocol/acs.ts";
import type { EcsDeps } from "../control/deps.ts";
import type { Instance } from "../model/instance.ts";
import { instanceKey } from "../model/keys.ts";
import { takenBy } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import { registerContainerInstance } from "./agent-registration.ts";
import { submitContainerStateChange, submitTaskStateChange } from "./agent-reports.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { presentInstance } from "./present.ts";
import { clusterResource } from "./resolve.ts";

/** The operations that only agents call. */
type AgentOperationName =
  | "DiscoverPollEndpoint"
  | "RegisterContainerInstance"
  | "SubmitAttachmentStateChanges"
  | "SubmitContainerStateChange"
  | "SubmitTaskStateChange";

/** Their rows, none of which is refused. */
export type EcsAgentOperations = {
  readonly [Name in AgentOperationName]: Extract<EcsOperations[Name], { readonly handle: unknown }>;
};

/** Any text will do: the agent only logs it. */
const ACKNOWLEDGMENT = "accepted";

/** The agent's side of the ECS API (`ecs-agent-protocol` §1.5, §1.7, §3). */
export function ecsAgentOperations(deps: EcsDeps): EcsAgentOperations {
  return {
    RegisterContainerInstance: {
      support: "partial",
      missing: "platformDevices other than GPUs; the signature of the identity document",
      action: "ecs:RegisterContainerInstance",
      resources: clusterOf,
      unmodelled: ["clientToken"],
      handle: async (input, call) => {
        const instance = await registerContainerInstance(deps, input, call);
        // The agent ends for good unless it reads back each attribute that it sent.
        return { containerInstance: presentRegistered(deps, instance) };
      },
    },
    DiscoverPollEndpoint: {
      support: "partial",
      missing: "serviceConnectEndpoint and systemLogsEndpoint",
      action: "ecs:DiscoverPollEndpoint",
      resources: () => ["*"],
      // The agent appends `/ws` and turns http into ws.
      handle: async (_input, call) => ({
        endpoint: `${call.endpoint}${ACS_PATH}`,
        telemetryEndpoint: `${call.endpoint}${TCS_PATH}`,
      }),
    },
    SubmitTaskStateChange: {
      support: "partial",
      missing: "managedAgents",
      action: "ecs:SubmitTaskStateChange",
      resources: clusterOf,
      handle: async (input, call) => {
        await submitTaskStateChange(deps, input, call);
        return { acknowledgment: ACKNOWLEDGMENT };
      },
    },
    SubmitContainerStateChange: {
      support: "full",
      action: "ecs:SubmitContainerStateChange",
      resources: clusterOf,
      handle: async (input, call) => {
        await submitContainerStateChange(deps, input, call);
        return { acknowledgment: ACKNOWLEDGMENT };
      },
    },
    SubmitAttachmentStateChanges: {
      support: "full",
      action: "ecs:SubmitAttachmentStateChanges",
      resources: clusterOf,
      // The agent says ATTACHED of interfaces only, and they are attached when control/network-interfaces makes them:
      // there is nothing left to record.
      handle: async () => ({ acknowledgment: ACKNOWLEDGMENT }),
    },
  };
}

function presentRegistered({ cache }: EcsDeps, instance: Instance): ContainerInstance {
  const key = instanceKey(instance, instance.clusterName, instance.id);
  const tasksUnder = (index: string, value: string): Task[] =>
    cache.lookup(index, value).map((record) => record.value as Task);
  const host = `${instance.region}/${instance.ec2InstanceId}`;
  return presentInstance(
    instance,
    takenBy(tasksUnder("tasksByHost", host)),
    tasksUnder("liveTasksByInstance", key),
    instance.tags,
  );
}

function clusterOf(input: { readonly cluster?: string | undefined }, call: Call): string[] {
  return [clusterResource(call, input.cluster)];
}
