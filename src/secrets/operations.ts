import type { Call, Operations, Service } from "../door/service.ts";
import type { SecretsDeps } from "./deps.ts";
import { resourceOf } from "./find.ts";
import { listSecrets, listSecretVersionIds } from "./lists.ts";
import { getRandomPassword } from "./random-password.ts";
import {
  createSecret,
  deleteSecret,
  describeSecret,
  restoreSecret,
  updateSecret,
} from "./secrets.ts";
import { tagResource, untagResource } from "./tags.ts";
import {
  batchGetSecretValue,
  getSecretValue,
  putSecretValue,
  updateSecretVersionStage,
} from "./values.ts";

type SecretsOperations = Operations<typeof import("@aws-sdk/client-secrets-manager")>;

/** Secrets Manager as the door serves it. */
export function secretsService(deps: SecretsDeps): Service {
  const bySecretId = (input: { readonly SecretId?: string | undefined }, call: Call) =>
    resourceOf(deps, input.SecretId, call);
  const operations: SecretsOperations = {
    CreateSecret: row(deps, "CreateSecret", createSecret, {
      resources: ({ Name }, call) => resourceOf(deps, Name, call),
      missing:
        "AddReplicaRegions; KmsKeyId is kept and shown, values are sealed with the server's own key",
    }),
    DescribeSecret: row(deps, "DescribeSecret", describeSecret, {
      resources: bySecretId,
      missing: "LastAccessedDate, rotation, replication",
    }),
    UpdateSecret: row(deps, "UpdateSecret", updateSecret, {
      resources: bySecretId,
      missing: "KmsKeyId is kept and shown, values are sealed with the server's own key",
    }),
    DeleteSecret: row(deps, "DeleteSecret", deleteSecret, { resources: bySecretId }),
    RestoreSecret: row(deps, "RestoreSecret", restoreSecret, { resources: bySecretId }),
    GetSecretValue: row(deps, "GetSecretValue", getSecretValue, { resources: bySecretId }),
    BatchGetSecretValue: row(deps, "GetSecretValue", batchGetSecretValue, {
      resources: ({ SecretIdList = [] }, call) =>
        SecretIdList.flatMap((id) => resourceOf(deps, id, call)),
      missing: "Filters",
    }),
    PutSecretValue: row(deps, "PutSecretValue", putSecretValue, { resources: bySecretId }),
    UpdateSecretVersionStage: row(deps, "UpdateSecretVersionStage", updateSecretVersionStage, {
      resources: bySecretId,
    }),
    ListSecrets: row(deps, "ListSecrets", listSecrets, {
      resources: () => ["*"],
      missing: "the filters primary-region and owning-service",
    }),
    ListSecretVersionIds: row(deps, "ListSecretVersionIds", listSecretVersionIds, {
      resources: bySecretId,
    }),
    GetRandomPassword: row(deps, "GetRandomPassword", getRandomPassword, {
      resources: () => ["*"],
    }),
    TagResource: row(deps, "TagResource", tagResource, { resources: bySecretId }),
    UntagResource: row(deps, "UntagResource", untagResource, { resources: bySecretId }),
  };
  return { name: "secretsmanager", operations };
}

function row<I, O>(
  deps: SecretsDeps,
  action: string,
  handle: (deps: SecretsDeps, input: I, call: Call) => Promise<O>,
  about: {
    readonly resources: (input: I, call: Call) => readonly string[];
    readonly missing?: string;
  },
) {
  const { missing, resources } = about;
  return {
    ...(missing === undefined
      ? { support: "full" as const }
      : { support: "partial" as const, missing }),
    action: `secretsmanager:${action}`,
    resources,
    handle: (input: I, call: Call) => handle(deps, input, call),
  };
}
