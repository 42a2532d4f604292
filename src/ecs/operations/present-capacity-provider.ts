import type { CapacityProvider as AwsCapacityProvider } from "@aws-sdk/client-ecs";
import { capacityProviderArn } from "../model/arn.ts";
import type { CapacityProvider } from "../model/capacity-provider.ts";
import type { Tag } from "../model/cluster.ts";
import type { Scope } from "../model/keys.ts";

/** A user's capacity provider in AWS's words. */
export function presentCapacityProvider(
  provider: CapacityProvider,
  tags: readonly Tag[],
): AwsCapacityProvider {
  const { managedScaling, ...group } = provider.autoScalingGroup;
  return {
    capacityProviderArn: capacityProviderArn(provider, provider.name),
    name: provider.name,
    status: provider.status,
    type: "EC2_AUTOSCALING",
    autoScalingGroupProvider: { ...group, managedScaling: { ...managedScaling } },
    updateStatus: provider.updateStatus,
    tags: [...tags],
  };
}

/** FARGATE or FARGATE_SPOT in AWS's words. They cannot be tagged. */
export function presentFargateProvider(scope: Scope, name: string): AwsCapacityProvider {
  return {
    capacityProviderArn: capacityProviderArn(scope, name),
    name,
    status: "ACTIVE",
    type: name === "FARGATE" ? "FARGATE" : "FARGATE_SPOT",
    tags: [],
  };
}
