import type { AwsPolicySource } from "./policy.ts";
import { allow, allowServiceRole } from "./statements.ts";

/** Whose quotas the console shows. */
const QUOTAS = [
  "s3",
  "dynamodb",
  "kinesis",
  "sns",
  "bedrock",
  "lambda",
  "fargate",
  "elasticloadbalancing",
  "ec2",
].map((service) => `arn:aws:servicequotas:*:*:${service}/*`);

const SIGNALS_CHANNEL = "arn:aws:cloudtrail:*:*:channel/aws-service-channel/application-signals/*";
const SIGNALS_ROLE =
  "arn:aws:iam::*:role/aws-service-role/application-signals.cloudwatch.amazonaws.com/AWSServiceRoleForCloudWatchApplicationSignals";
const EVENTS_ROLE =
  "arn:aws:iam::*:role/aws-service-role/events.amazonaws.com/AWSServiceRoleForCloudWatchEvents*";

const TRACE_WRITES = `PutTraceSegments PutTelemetryRecords GetSamplingRules GetSamplingTargets
  GetSamplingStatisticSummaries`;

/** Logs, metrics and traces. */
export const OBSERVABILITY_POLICIES: readonly AwsPolicySource[] = [
  {
    name: "CloudWatchAgentServerPolicy",
    path: "/",
    description: "Permissions required to use AmazonCloudWatchAgent on servers",
    statements: [
      allow(
        {
          cloudwatch: "PutMetricData",
          ec2: "DescribeVolumes DescribeTags",
          logs: `PutLogEvents PutRetentionPolicy DescribeLogStreams DescribeLogGroups CreateLogStream
            CreateLogGroup`,
          xray: TRACE_WRITES,
        },
        { sid: "CWACloudWatchServerPermissions" },
      ),
      allow(
        { ssm: "GetParameter" },
        { sid: "CWASSMServerPermissions", on: "arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*" },
      ),
    ],
  },
  {
    name: "CloudWatchLogsFullAccess",
    path: "/",
    description: "Provides full access to CloudWatch Logs",
    statements: [
      allow(
        { logs: "*", cloudwatch: "GenerateQuery GenerateQueryResultsSummary" },
        { sid: "CloudWatchLogsFullAccess" },
      ),
    ],
  },
  {
    name: "CloudWatchLogsReadOnlyAccess",
    path: "/",
    description: "Provides read only access to CloudWatch Logs",
    statements: [
      allow(
        {
          logs: `Describe* Get* List* StartQuery StopQuery TestMetricFilter FilterLogEvents StartLiveTail
            StopLiveTail`,
          cloudwatch: "GenerateQuery",
        },
        { sid: "CloudWatchLogsReadOnlyAccess" },
      ),
    ],
  },
  {
    name: "CloudWatchFullAccess",
    path: "/",
    description: "Provides full access to CloudWatch.",
    statements: [
      allow({
        autoscaling: "Describe*",
        cloudwatch: "*",
        logs: "*",
        sns: "*",
        iam: "GetPolicy GetPolicyVersion GetRole",
        oam: "ListSinks",
      }),
      allowServiceRole("events.amazonaws.com", {
        on: EVENTS_ROLE,
      }),
      allow({ oam: "ListAttachedLinks" }, { on: "arn:aws:oam:*:*:sink/*" }),
    ],
  },
  {
    name: "CloudWatchFullAccessV2",
    path: "/",
    description: "Provides full access to CloudWatch.",
    statements: [
      allow(
        {
          "application-autoscaling": "DescribeScalingPolicies",
          "application-signals": "*",
          autoscaling: "DescribeAutoScalingGroups DescribePolicies",
          cloudwatch: "*",
          logs: "*",
          sns: "CreateTopic ListSubscriptions ListSubscriptionsByTopic ListTopics Subscribe",
          iam: "GetPolicy GetPolicyVersion GetRole",
          oam: "ListSinks",
          rum: "*",
          synthetics: "*",
          xray: "*",
        },
        { sid: "CloudWatchFullAccessPermissions" },
      ),
      allowServiceRole("application-signals.cloudwatch.amazonaws.com", {
        sid: "CloudWatchApplicationSignalsServiceLinkedRolePermissions",
        on: SIGNALS_ROLE,
      }),
      allowServiceRole("events.amazonaws.com", {
        sid: "EventsServicePermissions",
        on: EVENTS_ROLE,
      }),
      allow(
        { oam: "ListAttachedLinks" },
        { sid: "OAMReadPermissions", on: "arn:aws:oam:*:*:sink/*" },
      ),
      allow(
        { cloudtrail: "CreateServiceLinkedChannel GetChannel" },
        { sid: "CloudWatchCloudTrailPermissions", on: SIGNALS_CHANNEL },
      ),
      allow(
        { cloudtrail: "ListChannels" },
        { sid: "CloudWatchApplicationSignalsCloudTrailListPermissions" },
      ),
      allow(
        { servicequotas: "GetServiceQuota" },
        { sid: "CloudWatchServiceQuotaPermissions", on: QUOTAS },
      ),
    ],
  },
  {
    name: "CloudWatchReadOnlyAccess",
    path: "/",
    description: "Provides read only access to CloudWatch.",
    statements: [
      allow(
        {
          "application-autoscaling": "DescribeScalingPolicies",
          "application-signals": "BatchGet* Get* List*",
          autoscaling: "Describe*",
          cloudtrail: "ListChannels",
          cloudwatch: "BatchGet* Describe* GenerateQuery Get* List*",
          logs: `Get* List* StartQuery StopQuery Describe* TestMetricFilter FilterLogEvents
            StartLiveTail StopLiveTail`,
          oam: "ListSinks",
          observabilityadmin: `GetCentralizationRuleForOrganization
            ListCentralizationRulesForOrganization GetTelemetryEvaluationStatus
            GetTelemetryEvaluationStatusForOrganization GetTelemetryRule
            GetTelemetryRuleForOrganization ListResourceTelemetry
            ListResourceTelemetryForOrganization ListTelemetryRules ListTelemetryRulesForOrganization
            GetTelemetryEnrichmentStatus ListTagsForResource GetTelemetryPipeline
            ListTelemetryPipelines TestTelemetryPipeline ValidateTelemetryPipelineConfiguration
            GetS3TableIntegration ListS3TableIntegrations`,
          sns: "Get* List*",
          rum: "BatchGet* Get* List*",
          synthetics: "Describe* Get* List*",
          xray: "BatchGet* Get* List* StartTraceRetrieval CancelTraceRetrieval",
        },
        { sid: "CloudWatchReadOnlyAccessPermissions" },
      ),
      allow(
        { oam: "ListAttachedLinks" },
        { sid: "OAMReadPermissions", on: "arn:aws:oam:*:*:sink/*" },
      ),
      allow({ iam: "GetRole" }, { sid: "CloudWatchReadOnlyGetRolePermissions", on: SIGNALS_ROLE }),
      allow(
        { cloudtrail: "GetChannel" },
        { sid: "CloudWatchCloudTrailPermissions", on: SIGNALS_CHANNEL },
      ),
      allow(
        { servicequotas: "GetServiceQuota" },
        { sid: "CloudWatchServiceQuotaPermissions", on: QUOTAS },
      ),
      allow(
        { "resource-explorer-2": "ListIndexes Search" },
        {
          sid: "CloudWatchResourceExplorerPermissions",
          on: [
            "arn:aws:resource-explorer-2:*::view/AWSServiceViewForApplicationSignals/service-view",
            "arn:aws:resource-explorer-2:*::view/AWSServiceViewForApplicationSignalsOrgScopeProd/service-view",
          ],
        },
      ),
    ],
  },
  {
    name: "AWSXRayDaemonWriteAccess",
    path: "/",
    description:
      "Allow the AWS X-Ray Daemon to relay raw trace segments data to the service's API and retrieve sampling data (rules, targets, etc.) to be used by the X-Ray SDK.",
    statements: [allow({ xray: TRACE_WRITES }, { sid: "AWSXRayDaemonWriteAccess" })],
  },
  {
    name: "AWSXrayWriteOnlyAccess",
    path: "/",
    description: "AWS X-Ray write only managed policy",
    statements: [allow({ xray: TRACE_WRITES })],
  },
  {
    name: "AWSXrayFullAccess",
    path: "/",
    description: "AWS X-Ray full access managed policy",
    statements: [allow({ xray: "*" }, { sid: "AWSXrayFullAccess" })],
  },
  {
    name: "AWSXrayReadOnlyAccess",
    path: "/",
    description: "AWS X-Ray read only managed policy",
    statements: [
      allow({
        xray: `GetSamplingRules GetSamplingTargets GetSamplingStatisticSummaries BatchGetTraces
          BatchGetTraceSummaryById GetDistinctTraceGraphs GetServiceGraph GetTraceGraph
          GetTraceSummaries GetGroups GetGroup ListTagsForResource ListResourcePolicies
          GetTimeSeriesServiceStatistics GetInsightSummaries GetInsight GetInsightEvents
          GetInsightImpactGraph`,
      }),
    ],
  },
];
