import { createHash } from "node:crypto";
import { assert } from "../lib/errors.ts";

/**
 * The names of everything the dataplane makes on a machine. All that other programs can see carries the system's id, so that
 * two systems on one machine never touch each other's.
 */
export interface Names {
  /** In front of every network namespace of this system. */
  readonly namespacePrefix: string;
  /** In front of every namespace of a VPC. */
  readonly vpcNamespacePrefix: string;
  /** In front of every link of this system in the host's namespace. */
  readonly hostLinkPrefix: string;
  /** The nftables table, in the host's namespace and in each VPC's. */
  readonly table: string;
  /** The bridge network's router, the host's link to it, and its table in the host's namespace. */
  readonly bridgeNamespace: string;
  readonly bridgeLink: string;
  readonly bridgeTable: string;
  vpcNamespace(vpcId: string): string;
  taskNamespace(taskId: string): string;
  /** The host's end of the pair between host and VPC. */
  hostLink(vpcId: string): string;
  /** The VPC's end of the pair between VPC and task. It never leaves the VPC's namespace. */
  interfaceLink(interfaceId: string): string;
  /** The other end of that pair, in the host's namespace, where somebody else's agent takes it. */
  offeredLink(interfaceId: string): string;
  containerNamespace(containerId: string): string;
  /** The router's end of the pair between bridge network and container. It never leaves the router's namespace. */
  containerLink(containerId: string): string;
}

/** The VPC's end of the pair between host and VPC. */
export const UPLINK = "uplink";
/** The VXLAN device in a VPC's namespace. */
export const OVERLAY_LINK = "overlay";
/** In front of every link that {@link Names.interfaceLink} names. */
export const INTERFACE_LINK_PREFIX = "eni-";
/** In front of every link that {@link Names.offeredLink} names: not `e`, by which network managers know what is theirs. */
export const OFFERED_LINK_PREFIX = "vif-";
/** In front of every link that {@link Names.containerLink} names. */
export const CONTAINER_LINK_PREFIX = "ctr-";
/** The task's end of its pair. */
export const TASK_LINK = "eth0";

/** Linux: IFNAMSIZ is 16 with the terminating zero. */
const LINK_NAME_LENGTH_MAX = 15;

/** The names of the system with this id (6 lowercase hex digits of the data directory's identity). */
export function namesOf(systemId: string): Names {
  assert(/^[0-9a-f]{6}$/.test(systemId), `system id ${systemId} is not 6 hex digits`);
  const namespacePrefix = `gantry-${systemId}-`;
  const hostLinkPrefix = `g${systemId}`;
  return {
    namespacePrefix,
    vpcNamespacePrefix: `${namespacePrefix}vpc-`,
    hostLinkPrefix,
    table: `gantry_${systemId}`,
    bridgeNamespace: `${namespacePrefix}bridge`,
    // No VPC's: those end in hexadecimal digits.
    bridgeLink: `${hostLinkPrefix}bridge`,
    bridgeTable: `gantry_${systemId}_bridge`,
    vpcNamespace: (vpcId) => `${namespacePrefix}vpc-${vpcId.replace(/^vpc-/, "")}`,
    taskNamespace: (taskId) => `${namespacePrefix}task-${taskId}`,
    hostLink: (vpcId) => linkName(hostLinkPrefix, vpcId.replace(/^vpc-/, "")),
    interfaceLink: (id) => linkName(INTERFACE_LINK_PREFIX, id.replace(/^eni-/, "")),
    offeredLink: (id) => linkName(OFFERED_LINK_PREFIX, id.replace(/^eni-/, "")),
    containerNamespace: (containerId) => `${namespacePrefix}ctr-${containerId}`,
    // Container ids differ in any place: their hash's last digits, like an id's.
    containerLink: (containerId) =>
      linkName(CONTAINER_LINK_PREFIX, createHash("sha256").update(containerId).digest("hex")),
  };
}

/** Whether this system's namespace is that of a router, and not of a task or container. */
export function isRouter(names: Names, namespace: string): boolean {
  return namespace === names.bridgeNamespace || namespace.startsWith(names.vpcNamespacePrefix);
}

/** Whether a table is some system's {@link Names.table}. */
export function isTable(name: string): boolean {
  return /^gantry_[0-9a-f]{6}$/.test(name);
}

/** The last digits of an id are random: 8 hex digits tell a host's VPCs apart, 11 its interfaces. */
function linkName(prefix: string, id: string): string {
  return prefix + id.slice(-(LINK_NAME_LENGTH_MAX - prefix.length));
}
