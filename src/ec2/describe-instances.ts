import type {
  DescribeInstancesRequest,
  DescribeInstancesResult,
  Instance,
  Reservation,
} from "@aws-sdk/client-ec2";
import type { Call } from "../door/service.ts";
import { type Instance as Agent, attributeOf, availabilityZoneOf } from "../ecs/model/instance.ts";
import { allInstancesPrefix } from "../ecs/model/keys.ts";
import { parseAddress } from "../lib/cidr.ts";
import { ApiError } from "../lib/errors.ts";
import type { Cache } from "../store/cache.ts";
import { privateDnsName } from "./model/addresses.ts";
import { scopeOf } from "./scope.ts";
import { type Noun, select } from "./select.ts";

/** A machine as its registrations in the account's clusters tell of it. */
interface Machine {
  readonly instanceId: string;
  readonly instanceType: string | undefined;
  readonly availabilityZone: string | undefined;
  readonly architecture: "x86_64" | "arm64";
  readonly imageId: string | undefined;
  readonly vpcId: string | undefined;
  readonly subnetId: string | undefined;
  readonly privateIpAddress: string | undefined;
  readonly privateDnsName: string | undefined;
  readonly isRunning: boolean;
  readonly registeredAt: number;
  readonly accountId: string;
}

const MACHINE: Noun<Machine> = {
  idsName: "InstanceIds",
  idOf: ({ instanceId }) => instanceId,
  notFound: (id) =>
    isInstanceId(id)
      ? new ApiError("InvalidInstanceID.NotFound", `The instance ID '${id}' does not exist`)
      : new ApiError("InvalidInstanceID.Malformed", `Invalid id: "${id}"`),
  filters: {
    "instance-id": ({ instanceId }) => [instanceId],
    "instance-type": ({ instanceType }) => [instanceType],
    "instance-state-code": ({ isRunning }) => [String(stateOf(isRunning).Code)],
    "instance-state-name": ({ isRunning }) => [stateOf(isRunning).Name],
    "availability-zone": ({ availabilityZone }) => [availabilityZone],
    architecture: ({ architecture }) => [architecture],
    "image-id": ({ imageId }) => [imageId],
    "launch-time": ({ registeredAt }) => [new Date(registeredAt).toISOString()],
    "owner-id": ({ accountId }) => [accountId],
    "private-dns-name": (machine) => [machine.privateDnsName],
    "private-ip-address": ({ privateIpAddress }) => [privateIpAddress],
    "reservation-id": ({ instanceId }) => [reservationIdOf(instanceId)],
    "subnet-id": ({ subnetId }) => [subnetId],
    "vpc-id": ({ vpcId }) => [vpcId],
  },
};

/** The machines on which the account has container instances; the fleet's other registration of them is nobody's to see. */
export function describeInstances(
  cache: Cache,
  input: DescribeInstancesRequest,
  call: Call,
): DescribeInstancesResult {
  const agents = cache
    .list(allInstancesPrefix(scopeOf(call)))
    .map(({ value }) => value as Agent)
    .filter(({ ec2InstanceId, status }) => status !== "INACTIVE" && isInstanceId(ec2InstanceId));
  const machines = [...Map.groupBy(agents, ({ ec2InstanceId }) => ec2InstanceId).values()];
  const { items, ...next } = select(MACHINE, machines.flatMap(machineOf), {
    ...input,
    ids: input.InstanceIds,
  });
  return { Reservations: items.map(present), ...next };
}

function isInstanceId(id: string): boolean {
  return /^i-[0-9a-f]+$/.test(id);
}

function machineOf(agents: readonly Agent[]): readonly Machine[] {
  const newest = agents.toSorted((a, b) => b.registeredAt - a.registeredAt)[0];
  if (newest === undefined) return [];
  const { accountId, ec2InstanceId, privateIpAddress, region } = newest;
  return [
    {
      instanceId: ec2InstanceId,
      instanceType: attributeOf(newest, "ecs.instance-type"),
      availabilityZone: availabilityZoneOf(newest),
      architecture: attributeOf(newest, "ecs.cpu-architecture") === "arm64" ? "arm64" : "x86_64",
      imageId: attributeOf(newest, "ecs.ami-id"),
      vpcId: attributeOf(newest, "ecs.vpc-id"),
      subnetId: attributeOf(newest, "ecs.subnet-id"),
      privateIpAddress,
      privateDnsName: privateIpAddress && privateDnsName(parseAddress(privateIpAddress), region),
      isRunning: agents.some(({ agentConnected }) => agentConnected),
      registeredAt: Math.min(...agents.map(({ registeredAt }) => registeredAt)),
      accountId,
    },
  ];
}

/** All that is known of a machine is whether an agent on it speaks. */
function stateOf(isRunning: boolean): {
  readonly Code: number;
  readonly Name: "running" | "stopped";
} {
  return isRunning ? { Code: 16, Name: "running" } : { Code: 80, Name: "stopped" };
}

function reservationIdOf(instanceId: string): string {
  return instanceId.replace(/^i-/, "r-");
}

function present(machine: Machine): Reservation {
  const { accountId, availabilityZone, instanceId } = machine;
  const instance: Instance = {
    InstanceId: instanceId,
    State: stateOf(machine.isRunning),
    Architecture: machine.architecture,
    LaunchTime: new Date(machine.registeredAt),
    AmiLaunchIndex: 0,
    Placement: {
      Tenancy: "default",
      ...(availabilityZone !== undefined && { AvailabilityZone: availabilityZone }),
    },
    NetworkInterfaces: [],
    SecurityGroups: [],
    BlockDeviceMappings: [],
    Tags: [],
    ...known("InstanceType", machine.instanceType as Instance["InstanceType"]),
    ...known("ImageId", machine.imageId),
    ...known("PrivateIpAddress", machine.privateIpAddress),
    ...known("PrivateDnsName", machine.privateDnsName),
    ...known("VpcId", machine.vpcId),
    ...known("SubnetId", machine.subnetId),
  };
  return {
    ReservationId: reservationIdOf(instanceId),
    OwnerId: accountId,
    Groups: [],
    Instances: [instance],
  };
}

function known<Name extends keyof Instance>(
  name: Name,
  value: Instance[Name],
): { readonly [K in Name]?: Instance[Name] } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in Name]: Instance[K] });
}
