import type { Tag } from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import type { Tags } from "../model/records.ts";
import { find, ROLE, USER } from "./holders.ts";
import { findProfile } from "./instance-profiles.ts";
import { findProvider } from "./oidc-providers.ts";
import { byName, type PageInput, pageOf } from "./pages.ts";
import { findChangeable } from "./policies.ts";
import { checkTags, presentTags, withoutTags, withTags } from "./tags.ts";
import { type Found, update } from "./transact.ts";
import { checkArn } from "./validate.ts";

/** Tag…, Untag… and List…Tags of everything in IAM that has tags. */

/** Finds what is tagged by its name or ARN; throws NoSuchEntity. */
export type FindTagged = (
  deps: Pick<IamDeps, "cache">,
  accountId: string,
  name: string | undefined,
) => Found<Tagged>;

interface Tagged {
  readonly tags: Tags;
}

export const TAGGED: Readonly<
  Record<"user" | "role" | "policy" | "instanceProfile" | "oidcProvider", FindTagged>
> = {
  user: (deps, accountId, name) => find(deps, USER, accountId, name),
  role: (deps, accountId, name) => find(deps, ROLE, accountId, name),
  policy: (deps, accountId, arn) => findChangeable(deps, accountId, checkArn(arn, "policyArn")),
  instanceProfile: findProfile,
  oidcProvider: findProvider,
};

/** Adds tags; of those of the same key the new value counts. Throws NoSuchEntity, LimitExceeded, InvalidInput. */
export async function tag(
  deps: IamDeps,
  findTagged: FindTagged,
  input: { readonly name: string | undefined; readonly Tags: readonly Tag[] | undefined },
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const added = checkTags(input.Tags);
  await update(
    deps,
    () => findTagged(deps, accountId, input.name),
    (tagged) => ({ ...tagged, tags: withTags(tagged.tags, added) }),
  );
  return {};
}

/** Throws NoSuchEntity. */
export async function untag(
  deps: IamDeps,
  findTagged: FindTagged,
  input: { readonly name: string | undefined; readonly TagKeys: readonly string[] | undefined },
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  await update(
    deps,
    () => findTagged(deps, accountId, input.name),
    (tagged) => ({ ...tagged, tags: withoutTags(tagged.tags, input.TagKeys ?? []) }),
  );
  return {};
}

/** In order of their keys. Throws NoSuchEntity. */
export async function listTags(
  deps: IamDeps,
  findTagged: FindTagged,
  input: PageInput & { readonly name: string | undefined },
  { principal: { accountId } }: Call,
): Promise<{ Tags: Tag[]; IsTruncated: boolean; Marker?: string }> {
  const { tags } = findTagged(deps, accountId, input.name).value;
  const { items, position } = pageOf(presentTags(tags), input, ({ Key = "" }) => byName(Key));
  return { Tags: [...items], ...position };
}
