import type { AwsPolicySource } from "./policy.ts";
import { allow, allowAllBut } from "./statements.ts";

/**
 * For people, whole accounts at a time. The three that read everything name some thousand actions of two hundred
 * services: here they name those of the services that Gantry has.
 */
export const PEOPLE_POLICIES: readonly AwsPolicySource[] = [
  {
    name: "AdministratorAccess",
    path: "/",
    description: "Provides full access to AWS services and resources.",
    statements: [allow("*")],
  },
  {
    name: "PowerUserAccess",
    path: "/",
    description:
      "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
    statements: [
      allowAllBut({ iam: "*", organizations: "*", account: "*" }),
      allow({
        account: "GetAccountInformation GetGovCloudAccountInformation GetPrimaryEmail ListRegions",
        iam: "CreateServiceLinkedRole DeleteServiceLinkedRole ListRoles",
        organizations: "DescribeEffectivePolicy DescribeOrganization",
      }),
    ],
  },
  {
    name: "IAMFullAccess",
    path: "/",
    description: "Provides full access to IAM via the AWS Management Console.",
    statements: [
      allow({
        iam: "*",
        organizations: `DescribeAccount DescribeOrganization DescribeOrganizationalUnit DescribePolicy
          ListChildren ListParents ListPoliciesForTarget ListRoots ListPolicies ListTargetsForPolicy`,
      }),
    ],
  },
  {
    name: "IAMReadOnlyAccess",
    path: "/",
    description: "Provides read only access to IAM via the AWS Management Console.",
    statements: [
      allow({
        iam: `GenerateCredentialReport GenerateServiceLastAccessedDetails Get* List*
          SimulateCustomPolicy SimulatePrincipalPolicy`,
      }),
    ],
  },
  {
    name: "ReadOnlyAccess",
    path: "/",
    description: "Provides read-only access to AWS services and resources.",
    statements: [
      allow({
        acm: "Describe* Get* List*",
        "application-autoscaling": "Describe* ListTagsForResource",
        appmesh: "Describe* List*",
        autoscaling: "Describe* GetPredictiveScalingForecast",
        cloudwatch: "Describe* Get* List*",
        ec2: `Describe* Get* ListSnapshotsInRecycleBin SearchLocalGatewayRoutes
          SearchTransitGatewayRoutes`,
        ec2messages: "Get*",
        ecr: "BatchCheck* BatchGet* Describe* Get* List*",
        ecs: "Describe* List*",
        elasticloadbalancing: "Describe*",
        events: "Describe* List* Test*",
        iam: "Generate* Get* List* Simulate*",
        kms: "Describe* Get* List*",
        logs: `Describe* FilterLogEvents Get* ListTagsForResource ListTagsLogGroup StartLiveTail
          StartQuery StopLiveTail StopQuery TestMetricFilter`,
        scheduler: "Get* List*",
        secretsmanager: "Describe* GetResourcePolicy List*",
        servicediscovery: "Get* List*",
        ssm: "Describe* Get* List*",
        sts: "GetAccessKeyInfo GetCallerIdentity GetSessionToken",
        xray: "BatchGet* Get* List*",
      }),
    ],
  },
  {
    name: "SecurityAudit",
    path: "/",
    description:
      "The security audit template grants access to read security configuration metadata. It is useful for software that audits the configuration of an AWS account.",
    statements: [
      allow(
        {
          acm: "Describe* List*",
          "application-autoscaling": "Describe*",
          appmesh: "Describe* List*",
          autoscaling: "Describe*",
          cloudwatch: "Describe* GetDashboard ListDashboards ListTagsForResource",
          ec2: `Describe* GetEbsEncryptionByDefault GetImageBlockPublicAccessState
            GetManagedPrefixListAssociations GetManagedPrefixListEntries
            GetNetworkInsightsAccessScopeAnalysisFindings GetNetworkInsightsAccessScopeContent
            GetTransitGatewayAttachmentPropagations GetTransitGatewayMulticastDomainAssociations
            GetTransitGatewayPrefixListReferences GetTransitGatewayRouteTableAssociations
            GetTransitGatewayRouteTablePropagations SearchTransitGatewayRoutes`,
          ecr: `BatchGetRepositoryScanningConfiguration DescribeImageScanFindings DescribeImages
            DescribeRegistry DescribeRepositories GetLifecyclePolicy GetRegistryPolicy
            GetRegistryScanningConfiguration GetRepositoryPolicy ListImages ListTagsForResource`,
          ecs: "Describe* List*",
          elasticloadbalancing: "Describe*",
          events: "Describe* List* TestEventPattern",
          iam: `GenerateCredentialReport GenerateServiceLastAccessedDetails Get* List*
            SimulateCustomPolicy SimulatePrincipalPolicy`,
          kms: "Describe* Get* List*",
          logs: `Describe* GetLogDelivery ListLogDeliveries ListTagsForResource ListTagsLogGroup`,
          secretsmanager: "DescribeSecret GetResourcePolicy ListSecretVersionIds ListSecrets",
          ssm: `Describe* GetAutomationExecution GetServiceSetting ListAssociationVersions
            ListAssociations ListCommands ListComplianceItems ListComplianceSummaries
            ListDocumentMetadataHistory ListDocumentVersions ListDocuments ListInventoryEntries
            ListOpsMetadata ListResourceComplianceSummaries ListResourceDataSync ListTagsForResource`,
          sts: "GetAccessKeyInfo",
          xray: `GetEncryptionConfig GetGroup GetGroups GetSamplingRules GetSamplingTargets
            GetTraceSummaries ListTagsForResource`,
        },
        { sid: "BaseSecurityAuditStatement" },
      ),
    ],
  },
  {
    name: "ViewOnlyAccess",
    path: "/job-function/",
    description:
      "This policy grants permissions to view resources and basic metadata across all AWS services.",
    statements: [
      allow(
        {
          acm: "ListCertificates",
          autoscaling: "Describe*",
          cloudwatch: "Get* List*",
          ec2: `DescribeAccountAttributes DescribeAddresses DescribeAvailabilityZones
            DescribeBundleTasks DescribeCarrierGateways DescribeClassicLinkInstances
            DescribeConversionTasks DescribeCustomerGateways DescribeDhcpOptions DescribeExportTasks
            DescribeFlowLogs DescribeHost* DescribeIdentityIdFormat DescribeIdFormat DescribeImage*
            DescribeImport* DescribeInstance* DescribeInternetGateways DescribeKeyPairs
            DescribeLocalGatewayRouteTables
            DescribeLocalGatewayRouteTableVirtualInterfaceGroupAssociations
            DescribeLocalGatewayRouteTableVpcAssociations DescribeLocalGateways
            DescribeLocalGatewayVirtualInterfaceGroups DescribeLocalGatewayVirtualInterfaces
            DescribeMovingAddresses DescribeNatGateways DescribeNetwork* DescribePlacementGroups
            DescribePrefixLists DescribeRegions DescribeReserved* DescribeRouteTables
            DescribeSecurityGroupRules DescribeSecurityGroups DescribeSnapshot* DescribeSpot*
            DescribeSubnets DescribeTags DescribeVolume* DescribeVpc* DescribeVpnGateways
            SearchLocalGatewayRoutes`,
          ecr: "DescribeRegistry DescribeRepositories ListImages",
          ecs: "Describe* List*",
          elasticloadbalancing: `DescribeInstanceHealth DescribeListeners
            DescribeLoadBalancerAttributes DescribeLoadBalancers DescribeTargetGroups
            DescribeTargetHealth`,
          events: "ListRuleNamesByTarget ListRules ListTargetsByRule",
          iam: "GetAccountSummary GetLoginProfile List*",
          kms: "ListKeys ListResourceTags",
          logs: `Describe* GetTransformer ListEntitiesForLogGroup ListLogGroupsForEntity
            ListLogGroupsForQuery ListTagsForResource`,
          ssm: "ListAssociations ListDocuments",
          xray: `GetEncryptionConfig GetGroups GetSamplingRules GetSamplingStatisticSummaries
            GetSamplingTargets GetTraceSegmentDestination ListResourcePolicies`,
        },
        { sid: "GeneralViewOnlyAccessStatement" },
      ),
    ],
  },
];
