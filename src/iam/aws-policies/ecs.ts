import type { AwsPolicySource } from "./policy.ts";
import { allow, allowPassRole, allowServiceRole } from "./statements.ts";

/** For those who use ECS, for its tasks and for its machines. */
export const ECS_POLICIES: readonly AwsPolicySource[] = [
  {
    name: "AmazonECSTaskExecutionRolePolicy",
    path: "/service-role/",
    description:
      "Provides access to other AWS service resources that are required to run Amazon ECS tasks",
    statements: [
      allow({
        ecr: "GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage",
        logs: "CreateLogStream PutLogEvents",
      }),
    ],
  },
  {
    name: "AmazonEC2ContainerServiceforEC2Role",
    path: "/service-role/",
    description: "Default policy for the Amazon EC2 Role for Amazon EC2 Container Service.",
    statements: [
      allow({
        ec2: "DescribeTags",
        ecs: `CreateCluster DeregisterContainerInstance DiscoverPollEndpoint Poll RegisterContainerInstance
          StartTelemetrySession UpdateContainerInstancesState Submit*`,
        ecr: "GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage",
        logs: "CreateLogStream PutLogEvents",
      }),
      allow(
        { ecs: "TagResource" },
        {
          when: {
            StringEquals: { "ecs:CreateAction": ["CreateCluster", "RegisterContainerInstance"] },
          },
        },
      ),
    ],
  },
  {
    name: "AmazonEC2ContainerServiceRole",
    path: "/service-role/",
    description: "Default policy for Amazon ECS service role.",
    statements: [
      allow({
        ec2: "AuthorizeSecurityGroupIngress Describe*",
        elasticloadbalancing: `DeregisterInstancesFromLoadBalancer DeregisterTargets Describe*
          RegisterInstancesWithLoadBalancer RegisterTargets`,
      }),
    ],
  },
  {
    name: "AmazonEC2ContainerServiceAutoscaleRole",
    path: "/service-role/",
    description: "Policy to enable Task Autoscaling for Amazon EC2 Container Service",
    statements: [
      allow({ ecs: "DescribeServices UpdateService" }),
      allow({ cloudwatch: "DescribeAlarms PutMetricAlarm" }),
    ],
  },
  {
    name: "AmazonEC2ContainerServiceEventsRole",
    path: "/service-role/",
    description: "Policy to enable CloudWatch Events for EC2 Container Service",
    statements: [
      allow({ ecs: "RunTask" }),
      allowPassRole("ecs-tasks.amazonaws.com"),
      allow(
        { ecs: "TagResource" },
        { when: { StringEquals: { "ecs:CreateAction": ["RunTask"] } } },
      ),
    ],
  },
  {
    name: "AmazonECS_FullAccess",
    path: "/",
    description:
      "Provides administrative access to Amazon ECS resources and enables ECS features through access to other AWS service resources, including VPCs, Auto Scaling groups, and CloudFormation stacks.",
    statements: [
      allow({
        "application-autoscaling": `DeleteScalingPolicy DeregisterScalableTarget DescribeScalableTargets
          DescribeScalingActivities DescribeScalingPolicies PutScalingPolicy RegisterScalableTarget`,
        appmesh:
          "DescribeVirtualGateway DescribeVirtualNode ListMeshes ListVirtualGateways ListVirtualNodes",
        autoscaling: `CreateAutoScalingGroup CreateLaunchConfiguration DeleteAutoScalingGroup
          DeleteLaunchConfiguration Describe* UpdateAutoScalingGroup`,
        cloudformation: "CreateStack DeleteStack DescribeStack* UpdateStack",
        cloudwatch: "DeleteAlarms DescribeAlarms GetMetricStatistics PutMetricAlarm",
        codedeploy: `BatchGetApplicationRevisions BatchGetApplications BatchGetDeploymentGroups
          BatchGetDeployments ContinueDeployment CreateApplication CreateDeployment CreateDeploymentGroup
          GetApplication GetApplicationRevision GetDeployment GetDeploymentConfig GetDeploymentGroup
          GetDeploymentTarget ListApplicationRevisions ListApplications ListDeploymentConfigs
          ListDeploymentGroups ListDeployments ListDeploymentTargets RegisterApplicationRevision
          StopDeployment`,
        ec2: `AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupIngress
          CancelSpotFleetRequests CreateInternetGateway CreateLaunchTemplate CreateRoute CreateRouteTable
          CreateSecurityGroup CreateSubnet CreateVpc DeleteLaunchTemplate DeleteSubnet DeleteVpc Describe*
          DetachInternetGateway DisassociateRouteTable ModifySubnetAttribute ModifyVpcAttribute
          RequestSpotFleet RunInstances`,
        ecs: "*",
        elasticfilesystem: "DescribeAccessPoints DescribeFileSystems",
        elasticloadbalancing: `CreateListener CreateLoadBalancer CreateRule CreateTargetGroup
          DeleteListener DeleteLoadBalancer DeleteRule DeleteTargetGroup DescribeListeners
          DescribeLoadBalancers DescribeRules DescribeTargetGroups`,
        events: `DeleteRule DescribeRule ListRuleNamesByTarget ListTargetsByRule PutRule PutTargets
          RemoveTargets`,
        fsx: "DescribeFileSystems",
        iam: "ListAttachedRolePolicies ListInstanceProfiles ListRoles",
        lambda: "ListFunctions",
        logs: "CreateLogGroup DescribeLogGroups FilterLogEvents",
        route53:
          "CreateHostedZone DeleteHostedZone GetHealthCheck GetHostedZone ListHostedZonesByName",
        servicediscovery: `CreatePrivateDnsNamespace CreateService DeleteService GetNamespace GetOperation
          GetService ListNamespaces ListServices UpdateService`,
        sns: "ListTopics",
      }),
      allow(
        { ssm: "GetParameter GetParameters GetParametersByPath" },
        { on: "arn:aws:ssm:*:*:parameter/aws/service/ecs*" },
      ),
      allow(
        { ec2: "DeleteInternetGateway DeleteRoute DeleteRouteTable DeleteSecurityGroup" },
        {
          when: {
            StringLike: {
              "ec2:ResourceTag/aws:cloudformation:stack-name": "EC2ContainerService-*",
            },
          },
        },
      ),
      allowPassRole("ecs-tasks.amazonaws.com"),
      allowPassRole(["ec2.amazonaws.com", "ec2.amazonaws.com.cn"], {
        on: "arn:aws:iam::*:role/ecsInstanceRole*",
      }),
      allowPassRole(
        ["application-autoscaling.amazonaws.com", "application-autoscaling.amazonaws.com.cn"],
        { on: "arn:aws:iam::*:role/ecsAutoscaleRole*" },
      ),
      allowServiceRole([
        "autoscaling.amazonaws.com",
        "ecs.amazonaws.com",
        "ecs.application-autoscaling.amazonaws.com",
        "spot.amazonaws.com",
        "spotfleet.amazonaws.com",
      ]),
      allow(
        { elasticloadbalancing: "AddTags" },
        {
          when: {
            StringEquals: {
              "elasticloadbalancing:CreateAction": [
                "CreateTargetGroup",
                "CreateRule",
                "CreateListener",
                "CreateLoadBalancer",
              ],
            },
          },
        },
      ),
    ],
  },
  {
    name: "AmazonECSInfrastructureRolePolicyForVolumes",
    path: "/service-role/",
    description:
      "Provides access to other AWS service resources required to manage volumes associated with ECS workloads on your behalf.",
    statements: [
      allow(
        { ec2: "CreateVolume" },
        {
          sid: "CreateEBSManagedVolume",
          on: "arn:aws:ec2:*:*:volume/*",
          when: {
            ArnLike: { "aws:RequestTag/AmazonECSCreated": "arn:aws:ecs:*:*:task/*" },
            StringEquals: { "aws:RequestTag/AmazonECSManaged": "true" },
          },
        },
      ),
      allow(
        { ec2: "CreateVolume" },
        { sid: "CreateEBSManagedVolumeFromSnapshot", on: "arn:aws:ec2:*:*:snapshot/*" },
      ),
      allow(
        { ec2: "CreateTags" },
        {
          sid: "TagOnCreateVolume",
          on: "arn:aws:ec2:*:*:volume/*",
          when: {
            ArnLike: { "aws:RequestTag/AmazonECSCreated": "arn:aws:ecs:*:*:task/*" },
            StringEquals: {
              "ec2:CreateAction": "CreateVolume",
              "aws:RequestTag/AmazonECSManaged": "true",
            },
          },
        },
      ),
      allow(
        { ec2: "DescribeVolumes DescribeAvailabilityZones" },
        { sid: "DescribeVolumesForLifecycle" },
      ),
      allow({ ec2: "DescribeInstances" }, { sid: "DescribeInstancesForAttachingVolume" }),
      allow(
        { ec2: "AttachVolume DetachVolume" },
        {
          sid: "ManageEBSVolumeLifecycle",
          on: "arn:aws:ec2:*:*:volume/*",
          when: { StringEquals: { "aws:ResourceTag/AmazonECSManaged": "true" } },
        },
      ),
      allow(
        { ec2: "AttachVolume DetachVolume" },
        { sid: "ManageVolumeAttachmentsForEC2", on: "arn:aws:ec2:*:*:instance/*" },
      ),
      allow(
        { ec2: "DeleteVolume" },
        {
          sid: "DeleteEBSManagedVolume",
          on: "arn:aws:ec2:*:*:volume/*",
          when: {
            ArnLike: { "aws:ResourceTag/AmazonECSCreated": "arn:aws:ecs:*:*:task/*" },
            StringEquals: { "aws:ResourceTag/AmazonECSManaged": "true" },
          },
        },
      ),
    ],
  },
];
