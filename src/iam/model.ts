import type { PrincipalKind } from "../door/service.ts";

/** A long-lived key pair. Written by the composition root (root key) and at a node's join (node keys). */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly accountId: string;
  /** Whose it is. */
  readonly principalArn: string;
  readonly kind: PrincipalKind;
  readonly status: "Active" | "Inactive";
  readonly createdAt: number;
}

/** Keys are found by their id alone: the account follows from the key. */
export function accessKeyKey(accessKeyId: string): string {
  return `/-/-/iam/access-keys/${accessKeyId}`;
}

/** The principal of one machine: its session name is the machine's id, which is how the server knows whose calls these are. */
export function nodePrincipalArn(accountId: string, ec2InstanceId: string): string {
  return `arn:aws:sts::${accountId}:assumed-role/gantry-node/${ec2InstanceId}`;
}
