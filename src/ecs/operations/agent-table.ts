import type { Call, Operations } from "../../door/service.ts";
import { ACS_PATH, TCS_PATH } from "../../protocol/acs.ts";
import type { EcsDeps } from "../control/deps.ts";
import { clusterArn, instanceArn } from "../model/arn.ts";
import { DEFAULT_CLUSTER } from "../model/names.ts";
import { registerContainerInstance } from "./agent-registration.ts";
import { submitContainerStateChange, submitTaskStateChange } from "./agent-reports.ts";

type EcsOperations = Operations<typeof import("@aws-sdk/client-ecs")>;

/** The operations that only agents call. */
export type EcsAgentOperations = Required<
  Pick<
    EcsOperations,
    | "DiscoverPollEndpoint"
    | "RegisterContainerInstance"
    | "SubmitAttachmentStateChanges"
    | "SubmitContainerStateChange"
    | "SubmitTaskStateChange"
  >
>;

/** Any text will do: the agent only logs it. */
const ACKNOWLEDGMENT = "accepted";

/** The agent's side of the ECS API (`ecs-agent-protocol` §1.5, §1.7, §3). */
export function ecsAgentOperations(deps: EcsDeps): EcsAgentOperations {
  return {
    RegisterContainerInstance: {
      support: "partial",
      missing: "platformDevices; the signature of the identity document",
      action: "ecs:RegisterContainerInstance",
      resources: clusterOf,
      handle: async (input, call) => {
        const instance = await registerContainerInstance(deps, input, call);
        return {
          containerInstance: {
            containerInstanceArn: instanceArn(instance, instance.clusterName, instance.id),
            ec2InstanceId: instance.ec2InstanceId,
            status: instance.status,
            agentConnected: instance.agentConnected,
            // The agent ends for good unless it reads back each attribute that it sent.
            attributes: instance.attributes.map((attribute) => ({ ...attribute })),
            registeredAt: new Date(instance.registeredAt),
            tags: instance.tags.map((tag) => ({ ...tag })),
          },
        };
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

function clusterOf(input: { readonly cluster?: string | undefined }, call: Call): string[] {
  const cluster = input.cluster ?? DEFAULT_CLUSTER;
  const scope = { accountId: call.principal.accountId, region: call.region };
  return [cluster.startsWith("arn:") ? cluster : clusterArn(scope, cluster)];
}
