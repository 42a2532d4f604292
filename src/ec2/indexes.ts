import { type IndexDefinitions, indexesOf } from "../store/cache-index.ts";
import type { NetworkInterface, Vpc } from "./model.ts";

/** The cache's indexes over the records of a VPC. */
export const ec2Indexes: IndexDefinitions = {
  "ec2/network-interfaces": indexesOf<NetworkInterface>()(["region", "ec2InstanceId", "vpcId"], {
    /** `<region>/<ec2InstanceId>` → the network interfaces on that machine, of whatever account. */
    interfacesByHost: ({ region, ec2InstanceId }) => [`${region}/${ec2InstanceId}`],
    /** VPC id → the network interfaces in it. */
    interfacesByVpc: ({ vpcId }) => [vpcId],
  }),
  "ec2/vpcs": indexesOf<Vpc>()(["accountId", "region", "isDefault"], {
    /** Region → the default VPCs of all accounts. */
    defaultVpcs: ({ region, isDefault }) => (isDefault ? [region] : []),
    /** Account → its VPCs, of all regions. */
    vpcsByAccount: ({ accountId }) => [accountId],
  }),
};
