import type { Call, Operation, Operations, Service } from "../door/service.ts";
import type { Cache } from "../store/cache.ts";
import { describeInstances } from "./describe-instances.ts";
import { describeNetworkInterfaces } from "./describe-network-interfaces.ts";
import {
  describeAccountAttributes,
  describeAvailabilityZones,
  describeRegions,
} from "./describe-region.ts";
import { describeSecurityGroups } from "./describe-security-groups.ts";
import { describeSubnets, describeVpcAttribute, describeVpcs } from "./describe-vpcs.ts";

type Ec2Operations = Operations<typeof import("@aws-sdk/client-ec2")>;

/** What EC2 shows of the network and the machines. */
export function ec2Service({ cache }: { readonly cache: Cache }): Service {
  const row = <Input, Output>(
    name: string,
    describe: (cache: Cache, input: Input, call: Call) => Output,
    missing?: string,
  ): Operation<Input, Output> => ({
    ...(missing === undefined
      ? { support: "full" as const }
      : { support: "partial" as const, missing }),
    action: `ec2:${name}`,
    // AWS: no Describe action of EC2 is about a resource.
    resources: () => ["*"],
    handle: async (input, call) => describe(cache, input, call),
  });
  const operations = {
    DescribeAccountAttributes: row(
      "DescribeAccountAttributes",
      describeAccountAttributes,
      "limits of EC2 that do not exist here",
    ),
    DescribeAvailabilityZones: row(
      "DescribeAvailabilityZones",
      describeAvailabilityZones,
      "AllAvailabilityZones: there are no zones that are not opted in",
    ),
    DescribeInstances: row(
      "DescribeInstances",
      describeInstances,
      "machines are known by their agents: running is one that is connected, stopped one that is not; tags, volumes and the machine's own interfaces",
    ),
    DescribeNetworkInterfaces: row(
      "DescribeNetworkInterfaces",
      describeNetworkInterfaces,
      "tags; only tasks have interfaces",
    ),
    DescribeRegions: row(
      "DescribeRegions",
      describeRegions,
      "AllRegions: every region can be used",
    ),
    DescribeSecurityGroups: row(
      "DescribeSecurityGroups",
      describeSecurityGroups,
      "tags; rules are shown and not enforced yet; there is only the default group of a VPC",
    ),
    DescribeSubnets: row("DescribeSubnets", describeSubnets, "tags"),
    DescribeVpcAttribute: row("DescribeVpcAttribute", describeVpcAttribute),
    DescribeVpcs: row("DescribeVpcs", describeVpcs, "tags"),
  } satisfies Ec2Operations;
  return { name: "ec2", operations };
}
