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

/** Systems Manager as the door serves it: Parameter Store. */
export function ssmService(deps: SsmDeps): Service {
  const operations: SsmOperations = {
    PutParameter: row(deps, "PutParameter", putParameter, {
      resources: byName,
      missing:
        "Policies, DataType other than text; KeyId is kept and shown, a SecureString is sealed with the server's own key",
    }),
    GetParameter: row(deps, "GetParameter", getParameter, { resources: byName }),
    GetParameters: row(deps, "GetParameters", getParameters, { resources: byNames }),
    GetParametersByPath: row(deps, "GetParametersByPath", getParametersByPath, {
      resources: ({ Path }, call) => resourceOf(Path, call),
    }),
    GetParameterHistory: row(deps, "GetParameterHistory", getParameterHistory, {
      resources: byName,
    }),
    DeleteParameter: row(deps, "DeleteParameter", deleteParameter, { resources: byName }),
    DeleteParameters: row(deps, "DeleteParameters", deleteParameters, { resources: byNames }),
    DescribeParameters: row(deps, "DescribeParameters", describeParameters, {
      resources: () => ["*"],
      missing: "Shared",
    }),
    LabelParameterVersion: row(deps, "LabelParameterVersion", labelParameterVersion, {
      resources: byName,
    }),
    UnlabelParameterVersion: row(deps, "UnlabelParameterVersion", unlabelParameterVersion, {
      resources: byName,
    }),
    AddTagsToResource: row(deps, "AddTagsToResource", addTagsToResource, {
      resources: byResourceId,
      missing: "resources other than parameters",
    }),
    RemoveTagsFromResource: row(deps, "RemoveTagsFromResource", removeTagsFromResource, {
      resources: byResourceId,
      missing: "resources other than parameters",
    }),
    ListTagsForResource: row(deps, "ListTagsForResource", listTagsForResource, {
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

function row<I, O>(
  deps: SsmDeps,
  action: string,
  handle: (deps: SsmDeps, input: I, call: Call) => Promise<O>,
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
    action: `ssm:${action}`,
    resources,
    handle: (input: I, call: Call) => handle(deps, input, call),
  };
}
