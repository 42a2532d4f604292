/**
 * What authorisation needs to know of a call beside its action and resources: condition keys, tags, roles handed over.
 * Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
 */
import type {
  Call,
  ConditionKeys,
  Operation,
  PassedRole,
  Permission,
  Refusal,
} from "../../door/service.ts";
import type { EcsDeps } from "../control/deps.ts";
import { settingsPrincipal } from "../model/account-setting.ts";
import { clusterArn, parseArn, taskDefinitionArn } from "../model/arn.ts";
import type { NamedRoles } from "../model/role-names.ts";
import { parseTaskCpu, parseTaskMemory } from "../model/task-size.ts";
import { effectiveSetting } from "./account-settings.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import {
  clusterResource,
  findDefinition,
  memberResource,
  providerResource,
  scopeOf,
} from "./resolve.ts";
import { tagsOfResource } from "./taggable.ts";
import { passedTaskRoles } from "./task-roles.ts";

type InputOf<Name extends keyof EcsOperations> =
  Exclude<EcsOperations[Name], Refusal | undefined> extends Operation<infer Input, infer _>
    ? Input
    : never;

interface Rule<Input> {
  readonly conditions?: (input: Input, call: Call) => ConditionKeys;
  /** What a call that creates something with tags tags. */
  readonly creates?: (input: Input, call: Call) => string;
  readonly passedRoles?: (deps: EcsDeps, input: Input, call: Call) => readonly PassedRole[];
}

type Rules = { readonly [Name in keyof EcsOperations]?: Rule<InputOf<Name>> };

const RULES: Rules = {
  CreateCluster: {
    conditions: (input, call) => ({
      ...providerKeys(call, input.capacityProviders),
      ...storageKeys(input.configuration),
    }),
    creates: ({ clusterName }, call) => clusterResource(call, clusterName),
  },
  UpdateCluster: { conditions: ({ configuration }) => storageKeys(configuration) },
  PutClusterCapacityProviders: {
    conditions: ({ capacityProviders }, call) => providerKeys(call, capacityProviders),
  },
  CreateCapacityProvider: { creates: ({ name }, call) => providerResource(call, name) },
  PutAccountSetting: { conditions: ({ name }) => ({ "ecs:account-setting": name }) },
  PutAccountSettingDefault: { conditions: ({ name }) => ({ "ecs:account-setting": name }) },
  DeleteAccountSetting: { conditions: ({ name }) => ({ "ecs:account-setting": name }) },
  RegisterContainerInstance: {
    creates: ({ cluster }, call) => memberResource(call, "container-instance", cluster, undefined),
  },
  RegisterTaskDefinition: {
    conditions: ({ containerDefinitions, cpu, memory, requiresCompatibilities }) => ({
      "ecs:compute-compatibility": requiresCompatibilities,
      "ecs:privileged": String(containerDefinitions?.some(({ privileged }) => privileged) ?? false),
      "ecs:task-cpu": cpu && String(parseTaskCpu(cpu) ?? cpu),
      "ecs:task-memory": memory && String(parseTaskMemory(memory) ?? memory),
    }),
    creates: ({ family = "" }, call) => taskDefinitionArn(scopeOf(call), family, "*"),
    passedRoles: (_deps, input, { principal }) => passedTaskRoles(principal.accountId, input),
  },
  RunTask: {
    conditions: (input, call) => ({
      ...startKeys(input, call),
      ...providerKeys(
        call,
        input.capacityProviderStrategy?.map(({ capacityProvider = "" }) => capacityProvider),
      ),
    }),
    creates: ({ cluster }, call) => memberResource(call, "task", cluster, undefined),
    passedRoles: passedToTasks,
  },
  StartTask: {
    conditions: (input, call) => ({
      ...startKeys(input, call),
      "ecs:container-instances": input.containerInstances?.map((text) =>
        memberResource(call, "container-instance", input.cluster, text),
      ),
    }),
    creates: ({ cluster }, call) => memberResource(call, "task", cluster, undefined),
    passedRoles: passedToTasks,
  },
  UntagResource: { conditions: ({ tagKeys }) => ({ "aws:TagKeys": tagKeys }) },
};

interface StartInput {
  readonly cluster?: string | undefined;
  readonly enableExecuteCommand?: boolean | undefined;
  readonly overrides?: NamedRoles | undefined;
  readonly taskDefinition?: string | undefined;
  readonly volumeConfigurations?: readonly unknown[] | undefined;
}

function startKeys(input: StartInput, call: Call): ConditionKeys {
  return {
    "ecs:cluster": clusterResource(call, input.cluster),
    "ecs:enable-ebs-volumes": String((input.volumeConfigurations?.length ?? 0) > 0),
    "ecs:enable-execute-command": String(input.enableExecuteCommand ?? false),
  };
}

/** Those that the tasks will have: of the definition unless they are overridden. */
function passedToTasks(deps: EcsDeps, input: StartInput, call: Call): readonly PassedRole[] {
  const scope = scopeOf(call);
  const document = findDefinition(deps.cache, scope, input.taskDefinition ?? "")?.document;
  return passedTaskRoles(scope.accountId, document ?? {}, input.overrides);
}

function providerKeys(call: Call, names: readonly string[] | undefined): ConditionKeys {
  return { "ecs:capacity-provider": names?.map((name) => providerResource(call, name)) };
}

interface StorageConfiguration {
  readonly managedStorageConfiguration?:
    | { readonly fargateEphemeralStorageKmsKeyId?: string | undefined }
    | undefined;
}

function storageKeys(configuration: StorageConfiguration | undefined): ConditionKeys {
  const keyId = configuration?.managedStorageConfiguration?.fargateEphemeralStorageKmsKeyId;
  return { "ecs:fargate-ephemeral-storage-kms-key": keyId };
}

/** Adds to every row what {@link RULES} say of it, and the keys that follow from its resources. */
export function withAccessRules(
  deps: EcsDeps,
  operations: EcsOperations,
): Readonly<Record<string, Operation | Refusal | undefined>> {
  return Object.fromEntries(
    Object.entries(operations).map(([name, row]) => [
      name,
      row.support === "refused" ? row : withRule(deps, name, row as Operation),
    ]),
  );
}

function withRule(deps: EcsDeps, name: string, row: Operation): Operation {
  // The one place where a rule's type is forgotten: the row of the same name says what its input is.
  const rules: Readonly<Record<string, Rule<never> | undefined>> = RULES as never;
  const rule = rules[name] ?? {};
  const { creates, passedRoles } = rule;
  return {
    ...row,
    conditions: (input, call, resource) => ({
      ...keysOfResource(deps, call, resource),
      ...requestTagKeys(input),
      ...rule.conditions?.(input, call),
    }),
    ...(passedRoles && { passedRoles: (input, call) => passedRoles(deps, input, call) }),
    ...(creates && {
      dependents: (input, call) => tagging(deps, name, input, call, () => creates(input, call)),
    }),
  };
}

/** The cluster that a task or an instance is in, and the tags of whatever it is. */
function keysOfResource(deps: EcsDeps, call: Call, resource: string): ConditionKeys {
  const keys: Record<string, string> = {};
  const arn = parseArn(resource);
  const [cluster] = arn?.path ?? [];
  if (cluster !== undefined && (arn?.type === "task" || arn?.type === "container-instance")) {
    keys["ecs:cluster"] = clusterArn(arn, cluster);
  }
  for (const { key, value } of tagsOfResource(deps.cache, call, resource)) {
    keys[`aws:ResourceTag/${key}`] = value;
    keys[`ecs:ResourceTag/${key}`] = value;
  }
  return keys;
}

interface Tagged {
  readonly tags?: readonly { readonly key?: string; readonly value?: string }[];
}

function requestTagKeys({ tags }: Tagged): ConditionKeys {
  if (tags === undefined) return {};
  const keys: Record<string, string | readonly string[]> = {
    "aws:TagKeys": tags.map(({ key = "" }) => key),
  };
  for (const { key = "", value = "" } of tags) keys[`aws:RequestTag/${key}`] = value;
  return keys;
}

/** ECS: who creates something with tags must be allowed to tag, unless the account has switched that off. */
function tagging(
  deps: EcsDeps,
  createAction: string,
  input: Tagged,
  call: Call,
  resource: () => string,
): readonly Permission[] {
  if (!input.tags?.length) return [];
  const scope = scopeOf(call);
  const principalArn = settingsPrincipal(call.principal.arn);
  const setting = effectiveSetting(deps.cache, scope, principalArn, "tagResourceAuthorization");
  if (setting !== "on") return [];
  const conditions = { ...requestTagKeys(input), "ecs:CreateAction": createAction };
  return [{ action: "ecs:TagResource", resources: [resource()], conditions }];
}
