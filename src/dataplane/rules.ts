import type { FeedVpc } from "../protocol/node-feed.ts";
import type { Names } from "./names.ts";

/**
 * The nftables script of the host's namespace: tasks go out under the host's address, and nobody comes in.
 * Replaces the whole table in one kernel transaction, so loading it again disturbs no traffic. No VPCs: no table.
 */
export function hostRules(names: Names, vpcs: readonly FeedVpc[]): string {
  if (vpcs.length === 0) return removeTable(names);
  const uplinks = vpcs.map((vpc) => `"${names.hostLink(vpc.vpcId)}"`).join(", ");
  const masquerade = vpcs.map(
    (vpc) => `    ip saddr ${vpc.cidr} oifname != "${names.hostLink(vpc.vpcId)}" masquerade`,
  );
  return `${removeTable(names)}table ip ${names.table} {
  chain forward {
    type filter hook forward priority filter; policy accept;
    # Forwarding makes the host a router: without this, its neighbours and other VPCs could address tasks directly.
    oifname { ${uplinks} } ct state established,related accept
    oifname { ${uplinks} } ct status dnat accept
    oifname { ${uplinks} } drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${masquerade.join("\n")}
  }
}
`;
}

/**
 * The nftables script of a VPC's namespace. `security_groups` leads from a destination address to the chain of its
 * security groups; an address that is not in it is open.
 */
export function vpcRules(names: Names): string {
  return `${removeTable(names)}table ip ${names.table} {
  map security_groups {
    type ipv4_addr : verdict
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip daddr vmap @security_groups
  }
}
`;
}

/** The script that leaves no table. Naming it first makes the deletion succeed when there is none. */
export function removeTable(names: Names): string {
  return `table ip ${names.table}\ndelete table ip ${names.table}\n`;
}
