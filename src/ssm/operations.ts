import { rowsOf } from "../door/row.ts";
import type { Call, Operations, Service } from "../door/service.ts";
import type { SsmDeps } from "./deps.ts";
import { describeParameters, labelParameterVersion, unlabelParameterVersion } from "./describe.ts";
import { resourceOf } from "./find.ts";
import {
  deleteParameter,
  deleteParameters,
  getParameter,
  getParameterHistory,
  getParameters,
  getParametersByPath,
} from "./get.ts";
import { putParameter } from "./put.ts";
import { addTagsToResource, listTagsForResource, removeTagsFromResource } from "./tags.ts";

type SsmOperations = Operations<typeof import("@aws-sdk/client-ssm")>;

const PUBLIC = "AWS's public parameters (/aws/service/…)";
const REFERENCES = "secrets as parameters (/aws/reference/secretsmanager/…)";

/** Systems Manager as the door serves it: Parameter Store. */
export function ssmService(deps: SsmDeps): Service {
  const row = rowsOf("ssm", deps);
  const operations: SsmOperations = {
    PutParameter: row("PutParameter", putParameter, {
      resources: byName,
      missing:
        "Policies, DataType other than text; KeyId is kept and shown, a SecureString is sealed with the server's own key",
    }),
    GetParameter: row("GetParameter", getParameter, {
      resources: byName,
      missing: `${PUBLIC}; ${REFERENCES}`,
    }),
    GetParameters: row("GetParameters", getParameters, {
      resources: byNames,
      missing: `${PUBLIC}; ${REFERENCES}`,
    }),
    GetParametersByPath: row("GetParametersByPath", getParametersByPath, {
      resources: ({ Path }, call) => resourceOf(Path, call),
      missing: PUBLIC,
    }),
    GetParameterHistory: row("GetParameterHistory", getParameterHistory, {
      resources: byName,
    }),
    DeleteParameter: row("DeleteParameter", deleteParameter, { resources: byName }),
    DeleteParameters: row("DeleteParameters", deleteParameters, { resources: byNames }),
    DescribeParameters: row("DescribeParameters", describeParameters, {
      resources: () => ["*"],
      missing: "Shared",
    }),
    LabelParameterVersion: row("LabelParameterVersion", labelParameterVersion, {
      resources: byName,
    }),
    UnlabelParameterVersion: row("UnlabelParameterVersion", unlabelParameterVersion, {
      resources: byName,
    }),
    AddTagsToResource: row("AddTagsToResource", addTagsToResource, {
      resources: byResourceId,
      missing: "resources other than parameters",
    }),
    RemoveTagsFromResource: row("RemoveTagsFromResource", removeTagsFromResource, {
      resources: byResourceId,
      missing: "resources other than parameters",
    }),
    ListTagsForResource: row("ListTagsForResource", listTagsForResource, {
      resources: byResourceId,
      missing: "resources other than parameters",
    }),
  };
  return { name: "ssm", operations };
}

function byName({ Name }: { readonly Name?: string | undefined }, call: Call): readonly string[] {
  return resourceOf(Name, call);
}
function byNames(
  { Names = [] }: { readonly Names?: readonly string[] | undefined },
  call: Call,
): readonly string[] {
  return Names.flatMap((name) => resourceOf(name, call));
}
function byResourceId(
  { ResourceId }: { readonly ResourceId?: string | undefined },
  call: Call,
): readonly string[] {
  return resourceOf(ResourceId, call);
}
