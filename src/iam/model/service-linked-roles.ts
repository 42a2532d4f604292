/** The service-linked roles that Gantry's services have, by the service's principal. */
export interface ServiceLinkedRole {
  readonly roleName: string;
  /** The policy of AWS's that it gets, of the path `/aws-service-role/`. */
  readonly policyName: string;
  readonly description: string;
  /** Whether there may be several, told apart by a suffix. */
  readonly takesSuffix: boolean;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html */
const SERVICE_LINKED_ROLES: ReadonlyMap<string, ServiceLinkedRole> = new Map([
  [
    "ecs.amazonaws.com",
    {
      roleName: "AWSServiceRoleForECS",
      policyName: "AmazonECSServiceRolePolicy",
      description: "Role to enable Amazon ECS to manage your cluster.",
      takesSuffix: false,
    },
  ],
  [
    "elasticloadbalancing.amazonaws.com",
    {
      roleName: "AWSServiceRoleForElasticLoadBalancing",
      policyName: "AWSElasticLoadBalancingServiceRolePolicy",
      description: "Allows ELB to call AWS services on your behalf.",
      takesSuffix: false,
    },
  ],
  [
    "autoscaling.amazonaws.com",
    {
      roleName: "AWSServiceRoleForAutoScaling",
      policyName: "AutoScalingServiceRolePolicy",
      description:
        "Default Service-Linked Role enables access to AWS Services and Resources used or managed by Auto Scaling",
      takesSuffix: true,
    },
  ],
  [
    "ecs.application-autoscaling.amazonaws.com",
    {
      roleName: "AWSServiceRoleForApplicationAutoScaling_ECSService",
      policyName: "AWSApplicationAutoscalingECSServicePolicy",
      description: "",
      takesSuffix: false,
    },
  ],
  [
    "appmesh.amazonaws.com",
    {
      roleName: "AWSServiceRoleForAppMesh",
      policyName: "AWSAppMeshServiceRolePolicy",
      description: "",
      takesSuffix: false,
    },
  ],
]);

export function findServiceLinkedRole(serviceName: string): ServiceLinkedRole | undefined {
  return SERVICE_LINKED_ROLES.get(serviceName);
}

/** Makes the service-linked role of a service in an account unless it is there: what services call on first use. */
export type EnsureServiceLinkedRole = (accountId: string, serviceName: string) => Promise<void>;

/** Where a service still needs its role: what stands in the way of deleting it. */
export interface RoleUsage {
  readonly region: string;
  /** ARNs. */
  readonly resources: readonly string[];
}
