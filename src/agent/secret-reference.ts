/** What a task definition's `valueFrom` names in Secrets Manager. */
export interface SecretReference {
  /** ARN or name. */
  readonly secretId: string;
  readonly jsonKey: string | undefined;
  readonly versionStage: string | undefined;
  readonly versionId: string | undefined;
}

/** The parts of `arn:aws:secretsmanager:<region>:<account>:secret:<name>`, behind which three more may stand. */
const ARN_PARTS = 7;

/** Reads `<ARN>[:<JSON key>:<version stage>:<version id>]`, in which an empty part is none. */
export function secretReference(valueFrom: string): SecretReference {
  const parts = valueFrom.startsWith("arn:") ? valueFrom.split(":") : [valueFrom];
  const [jsonKey, versionStage, versionId] = parts
    .slice(ARN_PARTS)
    .map((part) => part || undefined);
  return { secretId: parts.slice(0, ARN_PARTS).join(":"), jsonKey, versionStage, versionId };
}
