import type { Tag } from "@aws-sdk/client-iam";
import type { Call, ConditionKeys, Operation, Operations } from "../../../door/service.ts";
import type { IamDeps } from "../../deps.ts";
import type { LastUses } from "../../last-uses.ts";
import type { PoliciesOf } from "../../policies-of.ts";
import { Arns } from "../arns.ts";
import type { UsageOf } from "../service-linked-roles.ts";

export type IamOperations = Operations<typeof import("@aws-sdk/client-iam")>;

/** What IAM as a service works with, beside the store. */
export interface IamServiceDeps extends IamDeps {
  readonly policiesOf: PoliciesOf;
  readonly lastUses: LastUses;
  readonly usageOf: UsageOf;
}

type Handle<I, O> = (deps: IamServiceDeps, input: I, call: Call) => Promise<O>;
type About<I> = (input: I, call: Call) => string;

interface More<I> {
  /** Condition keys that follow from the input. */
  readonly keys?: (input: I) => ConditionKeys;
  /** `iam:TagUser`, …: needed too when the input has tags. */
  readonly tagAction?: string;
}

/** Makes the rows of the table. */
export class Rows {
  readonly deps: IamServiceDeps;
  readonly arns: Arns;

  constructor(deps: IamServiceDeps) {
    this.deps = deps;
    this.arns = new Arns(deps);
  }

  /** An operation that is here with all it does. `name` is that of its action too. */
  full<I, O>(
    name: string,
    about: About<NoInfer<I>>,
    handle: Handle<I, O>,
    { keys, tagAction }: More<NoInfer<I>> = {},
  ): Operation<I, O> {
    const resources = (input: I, call: Call): readonly string[] => [about(input, call)];
    const conditions = (input: I, _call: Call, resource: string): ConditionKeys => ({
      ...this.arns.conditionsOf(resource),
      ...tagKeys(input),
      ...keys?.(input),
    });
    return {
      support: "full",
      action: `iam:${name}`,
      resources,
      conditions,
      ...(tagAction !== undefined && {
        dependents: (input: I, call: Call) =>
          tagsOf(input).length === 0
            ? []
            : [
                {
                  action: tagAction,
                  resources: resources(input, call),
                  conditions: tagKeys(input),
                },
              ],
      }),
      handle: (input, call) => handle(this.deps, input, call),
    };
  }

  partial<I, O>(
    name: string,
    missing: string,
    about: About<NoInfer<I>>,
    handle: Handle<I, O>,
  ): Operation<I, O> {
    return { ...this.full(name, about, handle), support: "partial", missing };
  }
}

/** Where AWS knows no resource. */
export const everything = (): string => "*";

/** `iam:PolicyARN` of what is attached, detached or set. */
export function policyArnKey({ PolicyArn }: { PolicyArn?: string | undefined }): ConditionKeys {
  return { "iam:PolicyARN": PolicyArn };
}

/** `iam:PermissionsBoundary` of what is about to be bounded. */
export function boundaryKey({
  PermissionsBoundary,
}: {
  PermissionsBoundary?: string | undefined;
}): ConditionKeys {
  return { "iam:PermissionsBoundary": PermissionsBoundary };
}

function tagsOf(input: unknown): readonly Tag[] {
  return (input as { Tags?: readonly Tag[] }).Tags ?? [];
}

function tagKeys(input: unknown): ConditionKeys {
  const tags = tagsOf(input);
  const { TagKeys: keys = tags.map(({ Key = "" }) => Key) } = input as { TagKeys?: string[] };
  return {
    ...Object.fromEntries(tags.map(({ Key, Value }) => [`aws:RequestTag/${Key}`, Value])),
    ...(keys.length > 0 && { "aws:TagKeys": keys }),
  };
}
