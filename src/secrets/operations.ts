import { rowsOf } from "../door/row.ts";
import type { Call, Operations, Service } from "../door/service.ts";
import type { SecretsDeps } from "./deps.ts";
import { resourceOf } from "./find.ts";
import { listSecrets, listSecretVersionIds } from "./lists.ts";
import { getRandomPassword } from "./random-password.ts";
import {
  createSecret,
  deleteSecret,
  describeSecret,
  getResourcePolicy,
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
  const row = rowsOf("secretsmanager", deps);
  const bySecretId = (input: { readonly SecretId?: string | undefined }, call: Call) =>
    resourceOf(deps, input.SecretId, call);
  const operations: SecretsOperations = {
    CreateSecret: row("CreateSecret", createSecret, {
      resources: ({ Name }, call) => resourceOf(deps, Name, call),
      missing:
        "AddReplicaRegions; KmsKeyId is kept and shown, values are sealed with the server's own key",
    }),
    DescribeSecret: row("DescribeSecret", describeSecret, {
      resources: bySecretId,
      missing: "LastAccessedDate, rotation, replication",
    }),
    UpdateSecret: row("UpdateSecret", updateSecret, {
      resources: bySecretId,
      missing: "KmsKeyId is kept and shown, values are sealed with the server's own key",
    }),
    DeleteSecret: row("DeleteSecret", deleteSecret, { resources: bySecretId }),
    RestoreSecret: row("RestoreSecret", restoreSecret, { resources: bySecretId }),
    GetSecretValue: row("GetSecretValue", getSecretValue, { resources: bySecretId }),
    BatchGetSecretValue: {
      ...row("BatchGetSecretValue", batchGetSecretValue, {
        resources: () => ["*"],
        missing:
          "Filters; a secret that the caller may not read fails the call, and is not told in Errors",
      }),
      dependents: ({ SecretIdList = [] }, call) =>
        SecretIdList.map((id) => ({
          action: "secretsmanager:GetSecretValue",
          resources: resourceOf(deps, id, call),
        })),
    },
    PutSecretValue: row("PutSecretValue", putSecretValue, { resources: bySecretId }),
    UpdateSecretVersionStage: row("UpdateSecretVersionStage", updateSecretVersionStage, {
      resources: bySecretId,
    }),
    ListSecrets: row("ListSecrets", listSecrets, {
      resources: () => ["*"],
      missing: "the filters primary-region and owning-service, and the order last-accessed-date",
    }),
    ListSecretVersionIds: row("ListSecretVersionIds", listSecretVersionIds, {
      resources: bySecretId,
    }),
    GetResourcePolicy: row("GetResourcePolicy", getResourcePolicy, {
      resources: bySecretId,
      missing: "a secret never has one: PutResourcePolicy is not here",
    }),
    GetRandomPassword: row("GetRandomPassword", getRandomPassword, {
      resources: () => ["*"],
    }),
    TagResource: row("TagResource", tagResource, { resources: bySecretId }),
    UntagResource: row("UntagResource", untagResource, { resources: bySecretId }),
  };
  return { name: "secretsmanager", operations };
}
