import type { AccessDecision, AccessRequest } from "../door/authorize.ts";
import type { PrincipalKind } from "../door/service.ts";

/**
 * What the roles that Gantry hands out itself may do, as IAM action patterns. Users' own policies take the place of
 * this table when IAM keeps policies; the seam (`door/authorize.ts`) stays.
 */
const ALLOWED: Readonly<Record<PrincipalKind, readonly string[]>> = {
  root: ["*"],
  user: [],
  /** One machine's agent and dataplane: AmazonEC2ContainerServiceforEC2Role, less what is not needed, and the node feed. */
  node: [
    "ecs:CreateCluster",
    "ecs:DiscoverPollEndpoint",
    "ecs:Poll",
    "ecs:RegisterContainerInstance",
    "ecs:StartTelemetrySession",
    "ecs:Submit*",
    "gantry:NodeFeed",
    "gantry:RenewNodeKeys",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
  ],
  join: ["gantry:JoinNode"],
  /** AmazonECSTaskExecutionRolePolicy, and CreateLogGroup for `awslogs-create-group`. */
  "task-execution": [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
  ],
  task: [],
  "role-session": [],
  anonymous: [],
};

/**
 * Decides whether a principal may do something: nothing unless the table allows it, and nothing in another account.
 * Agents are the one exception to the latter, since a machine also runs tasks of accounts it does not belong to;
 * the operations they may call check that the task is theirs.
 */
export function authorize(request: AccessRequest): AccessDecision {
  const { principal, action, resources } = request;
  if (!ALLOWED[principal.kind].some((pattern) => matches(pattern, action))) {
    return denied(request, resources[0] ?? "*", "identity-based");
  }
  const foreign = resources.find((arn) => {
    const accountId = arn.split(":")[4] ?? "";
    // `aws` owns what everyone may use: AWS's managed policies.
    return accountId !== "" && accountId !== "aws" && accountId !== principal.accountId;
  });
  if (foreign !== undefined && !isAgentReport(request)) {
    return denied(request, foreign, "resource-based");
  }
  return { allowed: true };
}

function denied(
  { principal, action }: AccessRequest,
  resource: string,
  policies: string,
): AccessDecision {
  return {
    allowed: false,
    message: `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} because no ${policies} policy allows the ${action} action`,
    details: () => JSON.stringify({ allowed: false, explicitDeny: false }),
  };
}

function isAgentReport({ principal, action }: AccessRequest): boolean {
  return principal.kind === "node" && action.startsWith("ecs:Submit");
}

/** IAM's `*` at the end of a pattern. Action names are compared without regard to case, as IAM does. */
function matches(pattern: string, action: string): boolean {
  const name = action.toLowerCase();
  const expected = pattern.toLowerCase();
  return expected.endsWith("*") ? name.startsWith(expected.slice(0, -1)) : name === expected;
}
