import type { AwsPolicySource } from "./policy.ts";
import { allow } from "./statements.ts";

/** Policies for those who use ECS, for its tasks and for its machines. */
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
];
