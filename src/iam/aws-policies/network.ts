import type { AwsPolicySource } from "./policy.ts";
import { allow } from "./statements.ts";

/** Machines, VPCs and load balancers. */
export const NETWORK_POLICIES: readonly AwsPolicySource[] = [
  {
    name: "AmazonEC2FullAccess",
    path: "/",
    description: "Provides full access to Amazon EC2 via the AWS Management Console.",
    statements: [
      allow({ ec2: "*" }),
      allow({ elasticloadbalancing: "*" }),
      allow({ cloudwatch: "*" }),
      allow({ autoscaling: "*" }),
      allow(
        { iam: "CreateServiceLinkedRole" },
        {
          when: {
            StringEquals: {
              "iam:AWSServiceName": [
                "autoscaling.amazonaws.com",
                "ec2scheduled.amazonaws.com",
                "elasticloadbalancing.amazonaws.com",
                "spot.amazonaws.com",
                "spotfleet.amazonaws.com",
                "transitgateway.amazonaws.com",
              ],
            },
          },
        },
      ),
    ],
  },
  {
    name: "AmazonEC2ReadOnlyAccess",
    path: "/",
    description: "Provides read only access to Amazon EC2 via the AWS Management Console.",
    statements: [
      allow({ ec2: "Describe* Get*" }, { sid: "EC2" }),
      allow({ elasticloadbalancing: "Describe*" }, { sid: "ELB" }),
      allow({ cloudwatch: "ListMetrics GetMetricStatistics Describe*" }, { sid: "Cloudwatch" }),
      allow({ autoscaling: "Describe*" }, { sid: "Autoscaling" }),
    ],
  },
  {
    name: "ElasticLoadBalancingFullAccess",
    path: "/",
    description:
      "Provides full access to Amazon ElasticLoadBalancing, and limited access to other services necessary to provide ElasticLoadBalancing features.",
    statements: [
      allow({ elasticloadbalancing: "*" }),
      allow({
        ec2: `DescribeAccountAttributes DescribeAddresses DescribeInternetGateways
          DescribeSecurityGroups DescribeSubnets DescribeVpcs DescribeVpcClassicLink DescribeInstances
          DescribeNetworkInterfaces DescribeClassicLinkInstances DescribeRouteTables DescribeCoipPools
          GetCoipPoolUsage DescribeVpcPeeringConnections`,
        "cognito-idp": "DescribeUserPoolClient",
      }),
      allow(
        { iam: "CreateServiceLinkedRole" },
        { when: { StringEquals: { "iam:AWSServiceName": "elasticloadbalancing.amazonaws.com" } } },
      ),
      allow({ "arc-zonal-shift": "*" }, { on: "arn:aws:elasticloadbalancing:*:*:loadbalancer/*" }),
      allow({ "arc-zonal-shift": "ListManagedResources ListZonalShifts" }),
    ],
  },
  {
    name: "ElasticLoadBalancingReadOnly",
    path: "/",
    description: "Provides read only access to Amazon ElasticLoadBalancing and dependent services",
    statements: [
      allow({ elasticloadbalancing: "Describe* Get*" }, { sid: "Statement1" }),
      allow(
        { ec2: "DescribeInstances DescribeClassicLinkInstances DescribeSecurityGroups" },
        { sid: "Statement2" },
      ),
      allow(
        { "arc-zonal-shift": "GetManagedResource" },
        { sid: "Statement3", on: "arn:aws:elasticloadbalancing:*:*:loadbalancer/*" },
      ),
      allow({ "arc-zonal-shift": "ListManagedResources ListZonalShifts" }, { sid: "Statement4" }),
    ],
  },
  {
    name: "AmazonVPCReadOnlyAccess",
    path: "/",
    description: "Provides read only access to Amazon VPC via the AWS Management Console.",
    statements: [
      allow(
        {
          ec2: `DescribeAccountAttributes DescribeAddresses DescribeCarrierGateways
            DescribeClassicLinkInstances DescribeCustomerGateways DescribeDhcpOptions
            DescribeEgressOnlyInternetGateways DescribeFlowLogs DescribeInternetGateways
            DescribeLocalGatewayRouteTables DescribeLocalGatewayRouteTableVpcAssociations
            DescribeMovingAddresses DescribeNatGateways DescribeNetworkAcls
            DescribeNetworkInterfaceAttribute DescribeNetworkInterfacePermissions
            DescribeNetworkInterfaces DescribePrefixLists DescribeRouteTables
            DescribeSecurityGroupReferences DescribeSecurityGroupRules DescribeSecurityGroups
            DescribeSecurityGroupVpcAssociations DescribeStaleSecurityGroups DescribeSubnets
            DescribeTags DescribeVpcAttribute DescribeVpcClassicLink DescribeVpcClassicLinkDnsSupport
            DescribeVpcEndpoints DescribeVpcEndpointConnectionNotifications
            DescribeVpcEndpointConnections DescribeVpcEndpointServiceConfigurations
            DescribeVpcEndpointServicePermissions DescribeVpcEndpointServices
            DescribeVpcPeeringConnections DescribeVpcs DescribeVpnConnections DescribeVpnGateways
            GetSecurityGroupsForVpc`,
        },
        { sid: "AmazonVPCReadOnlyAccess" },
      ),
    ],
  },
  {
    name: "AmazonVPCFullAccess",
    path: "/",
    description: "Provides full access to Amazon VPC via the AWS Management Console.",
    statements: [
      allow(
        {
          ec2: `AcceptVpcPeeringConnection AcceptVpcEndpointConnections AllocateAddress
            AssignIpv6Addresses AssignPrivateIpAddresses AssociateAddress AssociateDhcpOptions
            AssociateRouteTable AssociateSubnetCidrBlock AssociateVpcCidrBlock AttachClassicLinkVpc
            AttachInternetGateway AttachNetworkInterface AttachVpnGateway AuthorizeSecurityGroupEgress
            AuthorizeSecurityGroupIngress CreateCarrierGateway CreateCustomerGateway
            CreateDefaultSubnet CreateDefaultVpc CreateDhcpOptions CreateEgressOnlyInternetGateway
            CreateFlowLogs CreateInternetGateway CreateLocalGatewayRouteTableVpcAssociation
            CreateNatGateway CreateNetworkAcl CreateNetworkAclEntry CreateNetworkInterface
            CreateNetworkInterfacePermission CreateRoute CreateRouteTable CreateSecurityGroup
            CreateSubnet CreateTags CreateVpc CreateVpcEndpoint
            CreateVpcEndpointConnectionNotification CreateVpcEndpointServiceConfiguration
            CreateVpcPeeringConnection CreateVpnConnection CreateVpnConnectionRoute CreateVpnGateway
            DeleteCarrierGateway DeleteCustomerGateway DeleteDhcpOptions
            DeleteEgressOnlyInternetGateway DeleteFlowLogs DeleteInternetGateway
            DeleteLocalGatewayRouteTableVpcAssociation DeleteNatGateway DeleteNetworkAcl
            DeleteNetworkAclEntry DeleteNetworkInterface DeleteNetworkInterfacePermission DeleteRoute
            DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteTags DeleteVpc DeleteVpcEndpoints
            DeleteVpcEndpointConnectionNotifications DeleteVpcEndpointServiceConfigurations
            DeleteVpcPeeringConnection DeleteVpnConnection DeleteVpnConnectionRoute DeleteVpnGateway
            DescribeAccountAttributes DescribeAddresses DescribeAvailabilityZones
            DescribeCarrierGateways DescribeClassicLinkInstances DescribeCustomerGateways
            DescribeDhcpOptions DescribeEgressOnlyInternetGateways DescribeFlowLogs DescribeInstances
            DescribeInternetGateways DescribeIpv6Pools DescribeLocalGatewayRouteTables
            DescribeLocalGatewayRouteTableVpcAssociations DescribeKeyPairs DescribeMovingAddresses
            DescribeNatGateways DescribeNetworkAcls DescribeNetworkInterfaceAttribute
            DescribeNetworkInterfacePermissions DescribeNetworkInterfaces DescribePrefixLists
            DescribeRouteTables DescribeSecurityGroupReferences DescribeSecurityGroupRules
            DescribeSecurityGroups DescribeStaleSecurityGroups DescribeSubnets DescribeTags
            DescribeVpcAttribute DescribeVpcClassicLink DescribeVpcClassicLinkDnsSupport
            DescribeVpcEndpointConnectionNotifications DescribeVpcEndpointConnections
            DescribeVpcEndpoints DescribeVpcEndpointServiceConfigurations
            DescribeVpcEndpointServicePermissions DescribeVpcEndpointServices
            DescribeVpcPeeringConnections DescribeVpcs DescribeVpnConnections DescribeVpnGateways
            DetachClassicLinkVpc DetachInternetGateway DetachNetworkInterface DetachVpnGateway
            DisableVgwRoutePropagation DisableVpcClassicLink DisableVpcClassicLinkDnsSupport
            DisassociateAddress DisassociateRouteTable DisassociateSubnetCidrBlock
            DisassociateVpcCidrBlock EnableVgwRoutePropagation EnableVpcClassicLink
            EnableVpcClassicLinkDnsSupport GetSecurityGroupsForVpc ModifyNetworkInterfaceAttribute
            ModifySecurityGroupRules ModifySubnetAttribute ModifyVpcAttribute ModifyVpcEndpoint
            ModifyVpcEndpointConnectionNotification ModifyVpcEndpointServiceConfiguration
            ModifyVpcEndpointServicePermissions ModifyVpcPeeringConnectionOptions ModifyVpcTenancy
            MoveAddressToVpc RejectVpcEndpointConnections RejectVpcPeeringConnection ReleaseAddress
            ReplaceNetworkAclAssociation ReplaceNetworkAclEntry ReplaceRoute
            ReplaceRouteTableAssociation ResetNetworkInterfaceAttribute RestoreAddressToClassic
            RevokeSecurityGroupEgress RevokeSecurityGroupIngress UnassignIpv6Addresses
            UnassignPrivateIpAddresses UpdateSecurityGroupRuleDescriptionsEgress
            UpdateSecurityGroupRuleDescriptionsIngress`,
        },
        { sid: "AmazonVPCFullAccess" },
      ),
    ],
  },
];
