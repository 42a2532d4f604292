import type { AwsPolicySource } from "./policy.ts";
import { allow, allowPassRole } from "./statements.ts";

const PATH = "/aws-service-role/";

/** Those of service-linked roles, which nobody else can attach. */
export const SERVICE_LINKED_POLICIES: readonly AwsPolicySource[] = [
  {
    name: "AmazonECSServiceRolePolicy",
    path: PATH,
    description: "Policy to enable Amazon ECS to manage your cluster.",
    statements: [
      allow(
        {
          ec2: `AttachNetworkInterface AssociateTrunkInterface CreateNetworkInterface
            CreateNetworkInterfacePermission DeleteNetworkInterface DeleteNetworkInterfacePermission
            Describe* DetachNetworkInterface DisassociateTrunkInterface`,
          elasticloadbalancing: `DeregisterInstancesFromLoadBalancer DeregisterTargets Describe*
            RegisterInstancesWithLoadBalancer RegisterTargets`,
          route53: `ChangeResourceRecordSets CreateHealthCheck DeleteHealthCheck Get* List*
            UpdateHealthCheck`,
          servicediscovery: `DeregisterInstance Get* List* RegisterInstance
            UpdateInstanceCustomHealthStatus`,
        },
        { sid: "ECSTaskManagement" },
      ),
      allow({ autoscaling: "Describe*" }, { sid: "AutoScaling" }),
      allow(
        {
          autoscaling: `DeletePolicy PutScalingPolicy SetInstanceProtection UpdateAutoScalingGroup
            PutLifecycleHook DeleteLifecycleHook CompleteLifecycleAction RecordLifecycleActionHeartbeat`,
        },
        {
          sid: "AutoScalingManagement",
          when: { Null: { "autoscaling:ResourceTag/AmazonECSManaged": "false" } },
        },
      ),
      allow(
        {
          "autoscaling-plans": `CreateScalingPlan DeleteScalingPlan DescribeScalingPlans
            DescribeScalingPlanResources`,
        },
        { sid: "AutoScalingPlanManagement" },
      ),
      allow(
        { events: "DescribeRule ListTargetsByRule" },
        { sid: "EventBridge", on: "arn:aws:events:*:*:rule/ecs-managed-*" },
      ),
      allow(
        { events: "PutRule PutTargets" },
        {
          sid: "EventBridgeRuleManagement",
          when: { StringEquals: { "events:ManagedBy": "ecs.amazonaws.com" } },
        },
      ),
      allow(
        { cloudwatch: "DeleteAlarms DescribeAlarms PutMetricAlarm" },
        { sid: "CWAlarmManagement", on: "arn:aws:cloudwatch:*:*:alarm:*" },
      ),
      allow(
        { ec2: "CreateTags" },
        { sid: "ECSTagging", on: "arn:aws:ec2:*:*:network-interface/*" },
      ),
      allow(
        { logs: "CreateLogGroup DescribeLogGroups PutRetentionPolicy" },
        { sid: "CWLogGroupManagement", on: "arn:aws:logs:*:*:log-group:/aws/ecs/*" },
      ),
      allow(
        { logs: "CreateLogStream DescribeLogStreams PutLogEvents" },
        {
          sid: "CWLogStreamManagement",
          on: "arn:aws:logs:*:*:log-group:/aws/ecs/*:log-stream:*",
        },
      ),
      allow({ ssm: "DescribeSessions" }, { sid: "ExecuteCommandSessionManagement" }),
      allow(
        { ssm: "StartSession" },
        {
          sid: "ExecuteCommand",
          on: [
            "arn:aws:ecs:*:*:task/*",
            "arn:aws:ssm:*:*:document/AmazonECS-ExecuteInteractiveCommand",
          ],
        },
      ),
      allow(
        { servicediscovery: "CreateHttpNamespace CreateService" },
        {
          sid: "CloudMapResourceCreation",
          when: { "ForAllValues:StringEquals": { "aws:TagKeys": ["AmazonECSManaged"] } },
        },
      ),
      allow(
        { servicediscovery: "TagResource" },
        {
          sid: "CloudMapResourceTagging",
          when: { StringLike: { "aws:RequestTag/AmazonECSManaged": "*" } },
        },
      ),
      allow(
        { servicediscovery: "DeleteService" },
        {
          sid: "CloudMapResourceDeletion",
          when: { Null: { "aws:ResourceTag/AmazonECSManaged": "false" } },
        },
      ),
      allow(
        { servicediscovery: "DiscoverInstances DiscoverInstancesRevision" },
        { sid: "CloudMapResourceDiscovery" },
      ),
      allow(
        { servicediscovery: "UpdateServiceAttributes" },
        {
          sid: "CloudMapResourceAttributeManagement",
          when: { Null: { "aws:ResourceTag/AmazonECSManaged": "false" } },
        },
      ),
    ],
  },
  {
    name: "AutoScalingServiceRolePolicy",
    path: PATH,
    description: "Enables access to AWS services and resources used or managed by Auto Scaling",
    statements: [
      allow(
        {
          ec2: `AttachClassicLinkVpc CancelSpotInstanceRequests CreateFleet CreateTags DeleteTags
            Describe* DetachClassicLinkVpc GetInstanceTypesFromInstanceRequirements
            GetSecurityGroupsForVpc ModifyInstanceAttribute RequestSpotInstances RunInstances
            StartInstances StopInstances TerminateInstances`,
        },
        { sid: "EC2InstanceManagement" },
      ),
      allowPassRole("ec2.amazonaws.com*", { sid: "EC2InstanceProfileManagement" }),
      allow(
        { iam: "CreateServiceLinkedRole" },
        {
          sid: "EC2SpotManagement",
          when: { StringEquals: { "iam:AWSServiceName": "spot.amazonaws.com" } },
        },
      ),
      allow({ elasticloadbalancing: "Register* Deregister* Describe*" }, { sid: "ELBManagement" }),
      allow(
        { cloudwatch: "DeleteAlarms DescribeAlarms GetMetricData PutMetricAlarm" },
        { sid: "CWManagement" },
      ),
      allow({ sns: "Publish" }, { sid: "SNSManagement" }),
      allow(
        { events: "PutRule PutTargets RemoveTargets DeleteRule DescribeRule" },
        {
          sid: "EventBridgeRuleManagement",
          when: { StringEquals: { "events:ManagedBy": "autoscaling.amazonaws.com" } },
        },
      ),
      allow({ ssm: "GetParameters" }, { sid: "SystemsManagerParameterManagement" }),
      allow(
        {
          "vpc-lattice":
            "DeregisterTargets GetTargetGroup ListTargets ListTargetGroups RegisterTargets",
        },
        { sid: "VpcLatticeManagement" },
      ),
    ],
  },
  {
    name: "AWSApplicationAutoscalingECSServicePolicy",
    path: PATH,
    description:
      "Policy granting permissions to Application Auto Scaling to access ECS and CloudWatch.",
    statements: [
      allow({
        ecs: "DescribeServices UpdateService",
        cloudwatch: "PutMetricAlarm DescribeAlarms DeleteAlarms",
      }),
    ],
  },
  {
    name: "AWSElasticLoadBalancingServiceRolePolicy",
    path: PATH,
    description: "Service Linked Role Policy for AWS Elastic Load Balancing Control Plane",
    statements: [
      allow({
        ec2: `DescribeAddresses DescribeCoipPools DescribeInstances DescribeNetworkInterfaces
          DescribeSubnets DescribeSecurityGroups DescribeVpcs DescribeInternetGateways
          DescribeAccountAttributes DescribeClassicLinkInstances DescribeVpcClassicLink
          CreateSecurityGroup CreateNetworkInterface DeleteNetworkInterface GetCoipPoolUsage
          ModifyNetworkInterfaceAttribute AllocateAddress AuthorizeSecurityGroupIngress AssociateAddress
          DisassociateAddress AttachNetworkInterface DetachNetworkInterface AssignPrivateIpAddresses
          AssignIpv6Addresses ReleaseAddress UnassignIpv6Addresses DescribeVpcPeeringConnections`,
        logs: "CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery ListLogDeliveries",
        outposts: "GetOutpostInstanceTypes",
      }),
    ],
  },
  {
    name: "AWSAppMeshServiceRolePolicy",
    path: PATH,
    description: "Enables access to AWS services and resources used or managed by AWS App Mesh",
    statements: [
      allow(
        { servicediscovery: "DiscoverInstances DiscoverInstancesRevision" },
        { sid: "CloudMapServiceDiscovery" },
      ),
      allow({ acm: "DescribeCertificate" }, { sid: "ACMCertificateVerification" }),
    ],
  },
];
