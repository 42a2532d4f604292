import type { AwsPolicySource } from "./policy.ts";
import { allow, allowServiceRole } from "./statements.ts";

const IMAGE_READS = `GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer
  GetRepositoryPolicy DescribeRepositories ListImages DescribeImages BatchGetImage GetLifecyclePolicy
  GetLifecyclePolicyPreview ListTagsForResource DescribeImageScanFindings`;

const SESSION_CHANNELS = `CreateControlChannel CreateDataChannel OpenControlChannel OpenDataChannel`;

const SSM_ROLE =
  "arn:aws:iam::*:role/aws-service-role/ssm.amazonaws.com/AWSServiceRoleForAmazonSSM*";

/** Images, secrets, parameters and keys. */
export const RESOURCE_POLICIES: readonly AwsPolicySource[] = [
  {
    name: "AmazonEC2ContainerRegistryReadOnly",
    path: "/",
    description: "Provides read-only access to Amazon EC2 Container Registry repositories.",
    statements: [allow({ ecr: IMAGE_READS })],
  },
  {
    name: "AmazonEC2ContainerRegistryPowerUser",
    path: "/",
    description:
      "Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or policy changes.",
    statements: [
      allow({
        ecr: `${IMAGE_READS} InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage`,
      }),
    ],
  },
  {
    name: "AmazonEC2ContainerRegistryFullAccess",
    path: "/",
    description: "Provides administrative access to Amazon ECR resources",
    statements: [
      allow({ ecr: "*", cloudtrail: "LookupEvents" }),
      allow(
        { iam: "CreateServiceLinkedRole" },
        { when: { StringEquals: { "iam:AWSServiceName": ["replication.ecr.amazonaws.com"] } } },
      ),
    ],
  },
  {
    name: "AmazonEC2ContainerRegistryPullOnly",
    path: "/",
    description: "Provides permissions to pull images from Amazon ECR",
    statements: [
      allow({
        ecr: "GetAuthorizationToken BatchGetImage GetDownloadUrlForLayer BatchImportUpstreamImage",
      }),
    ],
  },
  {
    name: "SecretsManagerReadWrite",
    path: "/",
    description:
      "Provides read/write access to AWS Secrets Manager via the AWS Management Console.",
    statements: [
      allow(
        {
          secretsmanager: "*",
          cloudformation: `CreateChangeSet DescribeChangeSet DescribeStackResource DescribeStacks
            ExecuteChangeSet`,
          "docdb-elastic": "GetCluster ListClusters",
          ec2: "DescribeSecurityGroups DescribeSubnets DescribeVpcs",
          kms: "DescribeKey ListAliases ListKeys",
          lambda: "ListFunctions",
          rds: "DescribeDBClusters DescribeDBInstances",
          redshift: "DescribeClusters",
          "redshift-serverless": "ListWorkgroups GetNamespace",
          tag: "GetResources",
        },
        { sid: "BasePermissions" },
      ),
      allow(
        {
          lambda: `AddPermission CreateFunction GetFunction InvokeFunction
            UpdateFunctionConfiguration`,
        },
        { sid: "LambdaPermissions", on: "arn:aws:lambda:*:*:function:SecretsManager*" },
      ),
      allow(
        { serverlessrepo: "CreateCloudFormationChangeSet GetApplication" },
        { sid: "SARPermissions", on: "arn:aws:serverlessrepo:*:*:applications/SecretsManager*" },
      ),
      allow(
        { s3: "GetObject" },
        {
          sid: "S3Permissions",
          on: [
            "arn:aws:s3:::awsserverlessrepo-changesets*",
            "arn:aws:s3:::secrets-manager-rotation-apps-*/*",
          ],
        },
      ),
      allow(
        { cloudformation: "TagResource UntagResource" },
        {
          sid: "CloudFormationTagOnCreate",
          when: {
            StringEquals: {
              "cloudformation:CreateAction": ["CreateChangeSet", "ExecuteChangeSet"],
            },
          },
        },
      ),
    ],
  },
  {
    name: "AmazonSSMReadOnlyAccess",
    path: "/",
    description: "Provides read only access to Amazon SSM.",
    statements: [allow({ ssm: "Describe* Get* List*" })],
  },
  {
    name: "AmazonSSMFullAccess",
    path: "/",
    description: "Provides full access to Amazon SSM.",
    statements: [
      allow({
        cloudwatch: "PutMetricData",
        ds: "CreateComputer DescribeDirectories",
        ec2: "DescribeInstanceStatus",
        logs: "*",
        ssm: "*",
        ec2messages: "*",
      }),
      allowServiceRole("ssm.amazonaws.com", { on: SSM_ROLE }),
      allow(
        { iam: "DeleteServiceLinkedRole GetServiceLinkedRoleDeletionStatus" },
        { on: SSM_ROLE },
      ),
      allow({ ssmmessages: SESSION_CHANNELS }),
    ],
  },
  {
    name: "AmazonSSMManagedInstanceCore",
    path: "/",
    description:
      "The policy for Amazon EC2 Role to enable AWS Systems Manager service core functionality.",
    statements: [
      allow({
        ssm: `DescribeAssociation GetDeployablePatchSnapshotForInstance GetDocument DescribeDocument
          GetManifest GetParameter GetParameters ListAssociations ListInstanceAssociations PutInventory
          PutComplianceItems PutConfigurePackageResult UpdateAssociationStatus
          UpdateInstanceAssociationStatus UpdateInstanceInformation`,
      }),
      allow({ ssmmessages: SESSION_CHANNELS }),
      allow({
        ec2messages:
          "AcknowledgeMessage DeleteMessage FailMessage GetEndpoint GetMessages SendReply",
      }),
    ],
  },
  {
    name: "AWSKeyManagementServicePowerUser",
    path: "/",
    description: "Provides access to AWS Key Management Service (KMS).",
    statements: [
      allow({
        kms: `CreateAlias CreateKey DeleteAlias Describe* GenerateRandom Get* List* TagResource
          UntagResource`,
        iam: "ListGroups ListRoles ListUsers",
      }),
    ],
  },
];
