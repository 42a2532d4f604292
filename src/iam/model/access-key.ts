import type { PrincipalKind } from "../../door/service.ts";

/** A long-lived key pair: of an account's root, of a user, or of a machine. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly accountId: string;
  /** Whose it is. */
  readonly principalArn: string;
  readonly kind: PrincipalKind;
  /** `AIDA…` of the user whose key it is; other principals have none. */
  readonly userId?: string;
  readonly status: "Active" | "Inactive";
  readonly createdAt: number;
}

/** What stands in for a key pair's owner: it names the one key that is in use. Creating it is how two servers agree on one. */
export interface KeyOwner {
  readonly accessKeyId: string;
}

/** Keys are found by their id alone: the account follows from the key. */
export const ACCESS_KEYS_PREFIX = "/-/-/iam/access-keys/";
export function accessKeyKey(accessKeyId: string): string {
  return `${ACCESS_KEYS_PREFIX}${accessKeyId}`;
}

export const KEY_OWNERS_PREFIX = "/-/-/iam/key-owners/";
export function keyOwnerKey(principalArn: string): string {
  return `${KEY_OWNERS_PREFIX}${encodeURIComponent(principalArn)}`;
}

export function rootPrincipalArn(accountId: string): string {
  return `arn:aws:iam::${accountId}:root`;
}

/** The principal of one machine: its session name is the machine's id, which is how the server knows whose calls these are. */
export function nodePrincipalArn(accountId: string, ec2InstanceId: string): string {
  return `arn:aws:sts::${accountId}:assumed-role/gantry-node/${ec2InstanceId}`;
}

/** The machine whose principal this is; undefined for every other principal. */
export function machineOf(principal: { arn: string; kind: PrincipalKind }): string | undefined {
  if (principal.kind !== "node") return undefined;
  return /^arn:aws:sts::\d{12}:assumed-role\/gantry-node\/([^/]+)$/.exec(principal.arn)?.[1];
}

/** RFC 4648 base32: the alphabet of AWS's key ids. */
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A key id from 16 random bytes: `AKIA…` lasts until withdrawn. */
export function formatAccessKeyId(random: Uint8Array): string {
  return `AKIA${formatBase32(random.subarray(0, 16))}`;
}

/** Characters of a session's key id that hold its account, and as many random ones: 40 bits each. */
const ACCOUNT_CHARACTERS = 8;

/**
 * A session's key id from 16 random bytes, `ASIA…`. Nothing remembers sessions, so the id itself says whose it is; what
 * nobody may guess is the secret.
 */
export function formatSessionKeyId(accountId: string, random: Uint8Array): string {
  let rest = Number(accountId);
  let account = "";
  for (let i = 0; i < ACCOUNT_CHARACTERS; i++) {
    account = BASE32.charAt(rest % 32) + account;
    rest = Math.floor(rest / 32);
  }
  return `ASIA${account}${formatBase32(random.subarray(ACCOUNT_CHARACTERS, 16))}`;
}

/** The account that a session's key id names; undefined for what is none. */
export function accountOfSessionKeyId(accessKeyId: string): string | undefined {
  const [, account] = /^ASIA([A-Z2-7]{8})[A-Z2-7]{8}$/.exec(accessKeyId) ?? [];
  if (account === undefined) return undefined;
  const number = [...account].reduce((sum, letter) => sum * 32 + BASE32.indexOf(letter), 0);
  return number < 1e12 ? String(number).padStart(12, "0") : undefined;
}

/** A character for each byte. */
export function formatBase32(random: Uint8Array): string {
  return [...random].map((byte) => BASE32[byte % 32]).join("");
}

/** A 40-character secret from 30 random bytes, as AWS's are. */
export function formatSecretAccessKey(random: Uint8Array): string {
  return Buffer.from(random.subarray(0, 30)).toString("base64");
}
