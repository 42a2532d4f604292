import type { IndexDefinitions } from "../store/cache.ts";
import { ec2Kind, type NetworkInterface, type Vpc } from "./model.ts";

/** The cache's indexes over the records of a VPC. */
export const ec2Indexes: IndexDefinitions = {
  /** `<region>/<ec2InstanceId>` → the network interfaces on that machine, of whatever account. */
  interfacesByHost: (key, value) => {
    if (ec2Kind(key) !== "network-interfaces") return [];
    const { region, ec2InstanceId } = value as NetworkInterface;
    return [`${region}/${ec2InstanceId}`];
  },
  /** Region → the default VPCs of all accounts. */
  defaultVpcs: (key, value) => {
    if (ec2Kind(key) !== "vpcs") return [];
    const { region, isDefault } = value as Vpc;
    return isDefault ? [region] : [];
  },
};
