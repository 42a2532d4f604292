/** Tier 5: what EC2 shows of a network with a task in it, through the SDK and the AWS CLI. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import {
  DescribeAccountAttributesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRegionsCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcsCommand,
  EC2Client,
  paginateDescribeSubnets,
  type VpcAttributeName,
} from "@aws-sdk/client-ec2";
import {
  CreateClusterCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
} from "@aws-sdk/client-ecs";
import { ensureDefaultVpc } from "../../src/ec2/default-vpc.ts";
import type { Subnet } from "../../src/ec2/model.ts";
import { createNetworkInterfacesController } from "../../src/ecs/control/network-interfaces.ts";
import { runController } from "../../src/store/controller.ts";
import { ACCOUNT_ID, REGION, ROOT_KEY } from "../door-kit.ts";
import { type EcsDoor, openEcsDoor } from "./ecs-kit.ts";

const run = promisify(execFile);
const MACHINE = "i-0123456789abcdef0";

describe("EC2 through the SDK and the CLI", () => {
  let door: EcsDoor;
  let ec2: EC2Client;
  let vpcId: string;
  let subnets: readonly Subnet[];

  before(async () => {
    door = await openEcsDoor();
    const client = { endpoint: door.url, region: REGION, credentials: ROOT_KEY, maxAttempts: 1 };
    ec2 = new EC2Client(client);
    const { world, ecs } = door;
    const made = await ensureDefaultVpc(
      world,
      { accountId: ACCOUNT_ID, region: REGION },
      {
        cidr: undefined,
        chooseCidr: async () => "10.20.0.0/16",
        availabilityZones: ["us-east-1a", "us-east-1b"],
      },
    );
    vpcId = made.vpc.vpcId;
    ({ subnets } = made);
    world.run((signal) => runController(createNetworkInterfacesController(world), world, signal));
    await ecs.send(new CreateClusterCommand({ clusterName: "demo" }));
    await door.addInstance("demo", "one", {
      ec2InstanceId: MACHINE,
      privateIpAddress: "192.168.1.7",
    });
    await door.addFleetInstance("hidden");
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family: "web",
        networkMode: "awsvpc",
        containerDefinitions: [{ name: "web", image: "hello", memory: 64 }],
      }),
    );
    const { tasks } = await ecs.send(
      new RunTaskCommand({
        cluster: "demo",
        taskDefinition: "web",
        networkConfiguration: {
          awsvpcConfiguration: { subnets: subnets.map(({ subnetId }) => subnetId) },
        },
      }),
    );
    assert.equal(tasks?.length, 1);
    await world.put();
  });
  after(async () => {
    ec2.destroy();
    await door[Symbol.asyncDispose]();
  });

  const filters = (
    Name: string,
    ...Values: string[]
  ): { Filters: { Name: string; Values: string[] }[] } => ({
    Filters: [{ Name, Values }],
  });

  test("the default VPC and its subnets, by filter, id and page", async () => {
    const { Vpcs } = await ec2.send(new DescribeVpcsCommand(filters("is-default", "true")));
    const found = Vpcs?.find((vpc) => vpc.VpcId === vpcId);
    assert.deepEqual(
      [found?.CidrBlock, found?.State, found?.OwnerId],
      ["10.20.0.0/16", "available", ACCOUNT_ID],
    );
    const { Subnets } = await ec2.send(
      new DescribeSubnetsCommand({
        SubnetIds: subnets.map(({ subnetId }) => subnetId),
        ...filters("vpc-id", vpcId),
      }),
    );
    assert.deepEqual(Subnets?.map(({ AvailabilityZoneId }) => AvailabilityZoneId).toSorted(), [
      "use1-az1",
      "use1-az2",
    ]);
    const free = Subnets?.map(({ AvailableIpAddressCount }) => AvailableIpAddressCount).toSorted();
    assert.deepEqual(free, [4090, 4091], "the task has one address of a /20");
    const pages: (string | undefined)[] = [];
    for await (const page of paginateDescribeSubnets({ client: ec2, pageSize: 5 }, {})) {
      pages.push(...(page.Subnets ?? []).map(({ SubnetId }) => SubnetId));
    }
    assert.ok(subnets.every(({ subnetId }) => pages.includes(subnetId)));
  });

  test("what Terraform asks of a VPC before it shows it", async () => {
    const attribute = async (Attribute: VpcAttributeName): Promise<boolean | undefined> => {
      const { VpcId, EnableDnsHostnames, EnableDnsSupport, EnableNetworkAddressUsageMetrics } =
        await ec2.send(new DescribeVpcAttributeCommand({ VpcId: vpcId, Attribute }));
      assert.equal(VpcId, vpcId);
      return (EnableDnsHostnames ?? EnableDnsSupport ?? EnableNetworkAddressUsageMetrics)?.Value;
    };
    assert.equal(await attribute("enableDnsHostnames"), true);
    assert.equal(await attribute("enableDnsSupport"), true);
    assert.equal(await attribute("enableNetworkAddressUsageMetrics"), false);
  });

  test("the task's interface is in the default group, on its machine", async () => {
    const { SecurityGroups } = await ec2.send(
      new DescribeSecurityGroupsCommand(filters("vpc-id", vpcId)),
    );
    const [group, ...others] = SecurityGroups ?? [];
    assert.deepEqual([group?.GroupName, others.length], ["default", 0]);
    const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({}));
    const [eni, ...more] = NetworkInterfaces ?? [];
    assert.equal(more.length, 0);
    assert.equal(eni?.Groups?.[0]?.GroupId, group?.GroupId);
    assert.equal(eni?.Attachment?.InstanceId, MACHINE);
    assert.match(eni?.PrivateIpAddress ?? "", /^10\.20\.\d+\.\d+$/);
    assert.match(eni?.Description ?? "", /^arn:aws:ecs:.*:task\/demo\//);
    const byAddress = await ec2.send(
      new DescribeNetworkInterfacesCommand(
        filters("addresses.private-ip-address", eni?.PrivateIpAddress ?? ""),
      ),
    );
    assert.equal(byAddress.NetworkInterfaces?.length, 1);
    const byId = await ec2.send(
      new DescribeNetworkInterfacesCommand({
        NetworkInterfaceIds: [eni?.NetworkInterfaceId ?? ""],
        ...filters("vpc-id", vpcId),
      }),
    );
    assert.deepEqual(byId.NetworkInterfaces, NetworkInterfaces);
  });

  test("the account's machines, and nothing of the fleet", async () => {
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
    assert.deepEqual(
      Reservations?.flatMap(({ Instances = [] }) =>
        Instances.map((one) => [one.InstanceId, one.State?.Name, one.PrivateIpAddress]),
      ),
      [[MACHINE, "running", "192.168.1.7"]],
    );
  });

  test("where it all is", async () => {
    const { Regions } = await ec2.send(new DescribeRegionsCommand({}));
    assert.deepEqual(
      Regions?.map(({ RegionName }) => RegionName),
      [REGION],
    );
    const { AvailabilityZones } = await ec2.send(new DescribeAvailabilityZonesCommand({}));
    assert.deepEqual(
      AvailabilityZones?.map(({ ZoneName }) => ZoneName),
      ["us-east-1a", "us-east-1b"],
    );
    const { AccountAttributes } = await ec2.send(
      new DescribeAccountAttributesCommand({ AttributeNames: ["default-vpc"] }),
    );
    assert.deepEqual(AccountAttributes?.[0]?.AttributeValues, [{ AttributeValue: vpcId }]);
  });

  test("what is not there has EC2's errors", async () => {
    const refusals: [() => Promise<unknown>, string][] = [
      [() => ec2.send(new DescribeVpcsCommand({ VpcIds: ["vpc-none"] })), "InvalidVpcID.NotFound"],
      [
        () =>
          ec2.send(
            new DescribeVpcAttributeCommand({ VpcId: "vpc-none", Attribute: "enableDnsSupport" }),
          ),
        "InvalidVpcID.NotFound",
      ],
      [
        () => ec2.send(new DescribeSubnetsCommand({ SubnetIds: ["subnet-none"] })),
        "InvalidSubnetID.NotFound",
      ],
      [
        () => ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: ["sg-none"] })),
        "InvalidGroup.NotFound",
      ],
      [
        () => ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: ["eni-none"] })),
        "InvalidNetworkInterfaceID.NotFound",
      ],
      [
        () => ec2.send(new DescribeInstancesCommand({ InstanceIds: ["i-0f"] })),
        "InvalidInstanceID.NotFound",
      ],
      [
        () => ec2.send(new DescribeInstancesCommand({ InstanceIds: ["mine"] })),
        "InvalidInstanceID.Malformed",
      ],
      [
        () => ec2.send(new DescribeRegionsCommand({ RegionNames: ["mars-north-1"] })),
        "InvalidParameterValue",
      ],
      [() => ec2.send(new DescribeVpcsCommand(filters("colour", "red"))), "InvalidParameterValue"],
    ];
    for (const [describe, name] of refusals) {
      await assert.rejects(describe(), { name }, name);
    }
  });

  test("the AWS CLI reads the same", async () => {
    const aws = async (...args: string[]): Promise<unknown> => {
      const { stdout } = await run("aws", ["ec2", ...args, "--output", "json"], {
        env: {
          PATH: process.env.PATH,
          AWS_ACCESS_KEY_ID: ROOT_KEY.accessKeyId,
          AWS_SECRET_ACCESS_KEY: ROOT_KEY.secretAccessKey,
          AWS_DEFAULT_REGION: REGION,
          AWS_ENDPOINT_URL: door.url,
          AWS_EC2_METADATA_DISABLED: "true",
        },
      });
      return JSON.parse(stdout);
    };
    assert.deepEqual(
      await aws(
        ...["--endpoint-url", door.url, "describe-subnets", "--filters"],
        ...[`Name=vpc-id,Values=${vpcId}`, "Name=default-for-az,Values=true"],
        ...["--query", "sort(Subnets[].AvailabilityZone)"],
      ),
      ["us-east-1a", "us-east-1b"],
    );
    assert.deepEqual(
      await aws(
        ...["--endpoint-url", door.url, "describe-instances", "--instance-ids", MACHINE],
        ...["--query", "Reservations[].Instances[].Placement.AvailabilityZone"],
      ),
      ["us-east-1a"],
    );
  });
});
