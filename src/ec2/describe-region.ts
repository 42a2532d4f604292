import type {
  AccountAttribute,
  AvailabilityZone,
  DescribeAccountAttributesRequest,
  DescribeAccountAttributesResult,
  DescribeAvailabilityZonesRequest,
  DescribeAvailabilityZonesResult,
  DescribeRegionsRequest,
  DescribeRegionsResult,
  Region,
} from "@aws-sdk/client-ec2";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { Cache } from "../store/cache.ts";
import { zoneIdOf } from "./model/zones.ts";
import { type DefaultVpc, defaultVpcKey, type Subnet, subnetsPrefix, type Vpc } from "./model.ts";
import { scopeOf } from "./scope.ts";
import { type Noun, select } from "./select.ts";

const ZONE: Noun<string> = {
  idsName: "ZoneNames",
  idOf: (zone) => zone,
  notFound: (zone) => invalidValue("availabilityZone", zone),
  filters: {
    "zone-name": (zone) => [zone],
    "zone-id": (zone) => [zoneIdOf(zone)],
    "zone-type": () => ["availability-zone"],
    "region-name": (zone) => [regionOf(zone)],
    "group-name": (zone) => [regionOf(zone)],
    "opt-in-status": () => ["opt-in-not-required"],
    state: () => ["available"],
  },
};

/** The zones that the account's subnets are in. */
export function describeAvailabilityZones(
  cache: Cache,
  input: DescribeAvailabilityZonesRequest,
  call: Call,
): DescribeAvailabilityZonesResult {
  const subnets = cache.list(subnetsPrefix(scopeOf(call))).map(({ value }) => value as Subnet);
  const zones = [...new Set(subnets.map(({ availabilityZone }) => availabilityZone))];
  const { ZoneIds = [], ZoneNames = [], ...rest } = input;
  const lost = ZoneIds.find((id) => !zones.some((zone) => zoneIdOf(zone) === id));
  if (lost !== undefined) throw invalidValue("availabilityZoneId", lost);
  const ids = [...ZoneNames, ...zones.filter((zone) => ZoneIds.includes(zoneIdOf(zone)))];
  const { items } = select(ZONE, zones, { ...rest, ids });
  return { AvailabilityZones: items.map(presentZone) };
}

function presentZone(zone: string): AvailabilityZone {
  const region = regionOf(zone);
  return {
    ZoneName: zone,
    ZoneId: zoneIdOf(zone),
    ZoneType: "availability-zone",
    RegionName: region,
    GroupName: region,
    NetworkBorderGroup: region,
    OptInStatus: "opt-in-not-required",
    State: "available",
    Messages: [],
  };
}

function regionOf(zone: string): string {
  return zone.replace(/[a-z]$/, "");
}

const REGION: Noun<string> = {
  idsName: "RegionNames",
  idOf: (region) => region,
  notFound: (region) => invalidValue("region", region),
  filters: {
    "region-name": (region) => [region],
    "opt-in-status": () => ["opt-in-not-required"],
    endpoint: () => [],
  },
};

/** The region of the call, which is there by being named, and those in which the account has a VPC. */
export function describeRegions(
  cache: Cache,
  input: DescribeRegionsRequest,
  call: Call,
): DescribeRegionsResult {
  const { accountId, region } = scopeOf(call);
  const others = cache.lookup("vpcsByAccount", accountId).map(({ value }) => (value as Vpc).region);
  const all = [...new Set([region, ...others])];
  const { items } = select(REGION, all, { ...input, ids: input.RegionNames });
  const host = new URL(call.endpoint).host;
  return {
    Regions: items.map(
      (name): Region => ({
        RegionName: name,
        Endpoint: host,
        OptInStatus: "opt-in-not-required",
      }),
    ),
  };
}

/** What of an account's attributes means something here. */
const ATTRIBUTES = {
  "supported-platforms": () => "VPC",
  "default-vpc": (defaultVpcId) => defaultVpcId ?? "none",
  "vpc-max-security-groups-per-interface": () => "5",
} as const satisfies Readonly<Record<string, (defaultVpcId: string | undefined) => string>>;

export function describeAccountAttributes(
  cache: Cache,
  { AttributeNames = [] }: DescribeAccountAttributesRequest,
  call: Call,
): DescribeAccountAttributesResult {
  const record = cache.get(defaultVpcKey(scopeOf(call)));
  const defaultVpcId = (record?.value as DefaultVpc | undefined)?.vpcId;
  const names: readonly string[] = AttributeNames;
  const unknown = names.find((name) => !Object.hasOwn(ATTRIBUTES, name));
  if (unknown !== undefined) throw invalidValue("attributeName", unknown);
  const AccountAttributes = Object.entries(ATTRIBUTES)
    .filter(([name]) => names.length === 0 || names.includes(name))
    .map(
      ([AttributeName, read]): AccountAttribute => ({
        AttributeName,
        AttributeValues: [{ AttributeValue: read(defaultVpcId) }],
      }),
    );
  return { AccountAttributes };
}

function invalidValue(parameter: string, value: string): ApiError {
  return new ApiError("InvalidParameterValue", `Invalid ${parameter}: [${value.slice(0, 128)}]`);
}
