import type { AwsPolicySource } from "./policy.ts";
import { allow, allowServiceRole } from "./statements.ts";

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
        on: "arn:aws:iam::*:role/aws-service-role/events.amazonaws.com/AWSServiceRoleForCloudWatchEvents*",
      }),
      allow({ oam: "ListAttachedLinks" }, { on: "arn:aws:oam:*:*:sink/*" }),
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
];
