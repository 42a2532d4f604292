import type { AwsPolicySource } from "./policy.ts";
import { allow, allowServiceRole } from "./statements.ts";

const MESH_NEIGHBOURS = [
  allow({
    acm: "ListCertificates DescribeCertificate",
    "acm-pca": "DescribeCertificateAuthority ListCertificateAuthorities",
  }),
  allow({ servicediscovery: "ListNamespaces ListServices ListInstances" }),
];

const MESH_STACKS = "arn:aws:cloudformation:*:*:stack/AWSAppMesh-GettingStarted-*";

/** Service discovery, meshes and scaling. */
export const DISCOVERY_POLICIES: readonly AwsPolicySource[] = [
  {
    name: "AWSCloudMapFullAccess",
    path: "/",
    description: "Provides full access to all AWS Cloud Map actions.",
    statements: [
      allow({
        route53: `GetHostedZone ListHostedZonesByName CreateHostedZone DeleteHostedZone
          ChangeResourceRecordSets CreateHealthCheck GetHealthCheck DeleteHealthCheck
          UpdateHealthCheck`,
        ec2: "DescribeVpcs DescribeRegions DescribeInstances",
        servicediscovery: "*",
      }),
    ],
  },
  {
    name: "AWSCloudMapReadOnlyAccess",
    path: "/",
    description: "Provides read-only access to all AWS Cloud Map actions.",
    statements: [
      allow({ servicediscovery: "Get* List* DiscoverInstances DiscoverInstancesRevision" }),
    ],
  },
  {
    name: "AWSCloudMapRegisterInstanceAccess",
    path: "/",
    description: "Provides registrant level access to AWS Cloud Map actions.",
    statements: [
      allow({
        route53: `GetHostedZone ListHostedZonesByName ChangeResourceRecordSets CreateHealthCheck
          GetHealthCheck DeleteHealthCheck UpdateHealthCheck`,
        servicediscovery: `Get* List* RegisterInstance DeregisterInstance DiscoverInstances
          DiscoverInstancesRevision`,
        ec2: "DescribeInstances",
      }),
    ],
  },
  {
    name: "AWSCloudMapDiscoverInstanceAccess",
    path: "/",
    description: "Provides access to AWS Cloud Map discovery API.",
    statements: [allow({ servicediscovery: "DiscoverInstances DiscoverInstancesRevision" })],
  },
  {
    name: "AWSAppMeshEnvoyAccess",
    path: "/",
    description: "App Mesh Envoy policy for accessing virtual node configuration.",
    statements: [allow({ appmesh: "StreamAggregatedResources" })],
  },
  {
    name: "AWSAppMeshFullAccess",
    path: "/",
    description: "Provides full access to the AWS App Mesh APIs and Management Console.",
    statements: [
      allow({ appmesh: "*" }),
      allowServiceRole(["appmesh.amazonaws.com"], {
        on: "arn:aws:iam::*:role/aws-service-role/appmesh.amazonaws.com/AWSServiceRoleForAppMesh",
      }),
      allow(
        { cloudformation: "CreateStack DeleteStack DescribeStack* UpdateStack" },
        { on: MESH_STACKS },
      ),
      ...MESH_NEIGHBOURS,
    ],
  },
  {
    name: "AWSAppMeshReadOnly",
    path: "/",
    description: "Provides read-only access to the AWS App Mesh APIs and Management Console.",
    statements: [
      allow({ appmesh: "Describe* List*" }),
      allow({ cloudformation: "DescribeStack*" }, { on: MESH_STACKS }),
      ...MESH_NEIGHBOURS,
    ],
  },
  {
    name: "AutoScalingFullAccess",
    path: "/",
    description: "Provides full access to Auto Scaling.",
    statements: [
      allow({ autoscaling: "*" }),
      allow({ cloudwatch: "PutMetricAlarm" }),
      allow({
        ec2: `DescribeAccountAttributes DescribeAvailabilityZones DescribeImages
          DescribeInstanceAttribute DescribeInstances DescribeKeyPairs DescribeLaunchTemplateVersions
          DescribePlacementGroups DescribeSecurityGroups DescribeSpotInstanceRequests DescribeSubnets
          DescribeVpcClassicLink`,
      }),
      allow({ elasticloadbalancing: "DescribeLoadBalancers DescribeTargetGroups" }),
      allow(
        { iam: "CreateServiceLinkedRole" },
        { when: { StringEquals: { "iam:AWSServiceName": "autoscaling.amazonaws.com" } } },
      ),
    ],
  },
  {
    name: "AutoScalingReadOnlyAccess",
    path: "/",
    description: "Provides read-only access to Auto Scaling.",
    statements: [allow({ autoscaling: "Describe*" })],
  },
];
