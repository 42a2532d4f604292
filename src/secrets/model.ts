/** The nouns of Secrets Manager, pure: records, keys, ARNs, and how staging labels move. */

/** The account and region of a secret. */
export interface Place {
  readonly accountId: string;
  readonly region: string;
}

/** All of a secret but its values. */
export interface Secret extends Place {
  readonly name: string;
  /** Six characters that make the ARN of a secret differ from that of an older one of the same name. */
  readonly suffix: string;
  readonly description?: string;
  readonly kmsKeyId?: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Version id → its staging labels. A version without any is deprecated and goes when room is needed. */
  readonly versions: Readonly<Record<string, readonly string[]>>;
  /** Instants are epoch milliseconds. */
  readonly createdAt: number;
  readonly changedAt: number;
  /** When a deletion was asked for, and when it becomes final. */
  readonly deletedAt?: number;
  readonly purgeAt?: number;
}

/** One value. A record of its own, so that describing a secret touches none. */
export interface SecretVersion {
  readonly versionId: string;
  /** Sealed with the master key in the context of this record's key. */
  readonly sealed: string;
  readonly kind: "string" | "binary";
  readonly createdAt: number;
}

export const CURRENT = "AWSCURRENT";
const PREVIOUS = "AWSPREVIOUS";

export function secretsPrefix({ accountId, region }: Place): string {
  return `/${accountId}/${region}/secrets/secrets/`;
}
/** Names hold slashes. */
export function secretKey(place: Place, name: string): string {
  return `${secretsPrefix(place)}${encodeURIComponent(name)}`;
}
/** Below the suffix: the values of a secret that is gone are not those of a later one of its name. */
export function versionsPrefix(secret: Secret): string {
  const { accountId, region, name, suffix } = secret;
  return `/${accountId}/${region}/secrets/versions/${encodeURIComponent(name)}/${suffix}/`;
}
export function versionKey(secret: Secret, versionId: string): string {
  return `${versionsPrefix(secret)}${encodeURIComponent(versionId)}`;
}
/** Whether a key names a secret. */
export function isSecretKey(key: string): boolean {
  const parts = key.split("/");
  return parts[3] === "secrets" && parts[4] === "secrets";
}

export function secretArn({ accountId, region, name, suffix }: Secret): string {
  return `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}-${suffix}`;
}

/** The version under a staging label. */
export function versionAt({ versions }: Secret, stage: string): string | undefined {
  return Object.entries(versions).find(([, stages]) => stages.includes(stage))?.[0];
}

/**
 * The versions once `stages` are on `versionId`. A label is on one version only; AWS: what loses AWSCURRENT is AWSPREVIOUS from
 * then on.
 */
export function withStages(
  secret: Secret,
  versionId: string,
  stages: readonly string[],
): Secret["versions"] {
  const current = versionAt(secret, CURRENT);
  const isReplaced = stages.includes(CURRENT) && current !== undefined && current !== versionId;
  const moved = new Set([...stages, ...(isReplaced ? [PREVIOUS] : [])]);
  const versions: Record<string, readonly string[]> = {};
  for (const [id, own] of Object.entries(secret.versions)) {
    const kept = own.filter((stage) => !moved.has(stage));
    versions[id] = isReplaced && id === current ? [...kept, PREVIOUS] : kept;
  }
  versions[versionId] = [...new Set([...(versions[versionId] ?? []), ...stages])];
  return versions;
}
