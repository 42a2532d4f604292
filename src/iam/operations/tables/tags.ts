import type { Call } from "../../../door/service.ts";
import { listTags, TAGGED, tag, untag } from "../tagging.ts";
import type { IamOperations, Rows } from "./row.ts";

/** Tags of everything that has them. */
export function tagOperations(rows: Rows): IamOperations {
  return {
    ...userTagOperations(rows),
    ...roleTagOperations(rows),
    ...policyTagOperations(rows),
    ...instanceProfileTagOperations(rows),
    ...oidcProviderTagOperations(rows),
  };
}

function userTagOperations(rows: Rows): IamOperations {
  const about = ({ UserName: name }: { UserName?: string | undefined }, call: Call): string =>
    rows.arns.user(name, call);
  const type = TAGGED.user;
  return {
    TagUser: rows.full("TagUser", about, (deps, { UserName: name, Tags }, call) =>
      tag(deps, type, { name, Tags }, call),
    ),
    UntagUser: rows.full("UntagUser", about, (deps, { UserName: name, TagKeys }, call) =>
      untag(deps, type, { name, TagKeys }, call),
    ),
    ListUserTags: rows.full("ListUserTags", about, (deps, { UserName: name, ...page }, call) =>
      listTags(deps, type, { name, ...page }, call),
    ),
  };
}

function roleTagOperations(rows: Rows): IamOperations {
  const about = ({ RoleName: name }: { RoleName?: string | undefined }, call: Call): string =>
    rows.arns.role(name, call);
  const type = TAGGED.role;
  return {
    TagRole: rows.full("TagRole", about, (deps, { RoleName: name, Tags }, call) =>
      tag(deps, type, { name, Tags }, call),
    ),
    UntagRole: rows.full("UntagRole", about, (deps, { RoleName: name, TagKeys }, call) =>
      untag(deps, type, { name, TagKeys }, call),
    ),
    ListRoleTags: rows.full("ListRoleTags", about, (deps, { RoleName: name, ...page }, call) =>
      listTags(deps, type, { name, ...page }, call),
    ),
  };
}

function policyTagOperations(rows: Rows): IamOperations {
  const about = ({ PolicyArn: name }: { PolicyArn?: string | undefined }): string => name ?? "";
  const type = TAGGED.policy;
  return {
    TagPolicy: rows.full("TagPolicy", about, (deps, { PolicyArn: name, Tags }, call) =>
      tag(deps, type, { name, Tags }, call),
    ),
    UntagPolicy: rows.full("UntagPolicy", about, (deps, { PolicyArn: name, TagKeys }, call) =>
      untag(deps, type, { name, TagKeys }, call),
    ),
    ListPolicyTags: rows.full("ListPolicyTags", about, (deps, { PolicyArn: name, ...page }, call) =>
      listTags(deps, type, { name, ...page }, call),
    ),
  };
}

function instanceProfileTagOperations(rows: Rows): IamOperations {
  const about = (
    { InstanceProfileName: name }: { InstanceProfileName?: string | undefined },
    call: Call,
  ): string => rows.arns.instanceProfile(name, call);
  const type = TAGGED.instanceProfile;
  return {
    TagInstanceProfile: rows.full(
      "TagInstanceProfile",
      about,
      (deps, { InstanceProfileName: name, Tags }, call) => tag(deps, type, { name, Tags }, call),
    ),
    UntagInstanceProfile: rows.full(
      "UntagInstanceProfile",
      about,
      (deps, { InstanceProfileName: name, TagKeys }, call) =>
        untag(deps, type, { name, TagKeys }, call),
    ),
    ListInstanceProfileTags: rows.full(
      "ListInstanceProfileTags",
      about,
      (deps, { InstanceProfileName: name, ...page }, call) =>
        listTags(deps, type, { name, ...page }, call),
    ),
  };
}

function oidcProviderTagOperations(rows: Rows): IamOperations {
  const about = ({
    OpenIDConnectProviderArn: name,
  }: {
    OpenIDConnectProviderArn?: string | undefined;
  }): string => name ?? "";
  const type = TAGGED.oidcProvider;
  return {
    TagOpenIDConnectProvider: rows.full(
      "TagOpenIDConnectProvider",
      about,
      (deps, { OpenIDConnectProviderArn: name, Tags }, call) =>
        tag(deps, type, { name, Tags }, call),
    ),
    UntagOpenIDConnectProvider: rows.full(
      "UntagOpenIDConnectProvider",
      about,
      (deps, { OpenIDConnectProviderArn: name, TagKeys }, call) =>
        untag(deps, type, { name, TagKeys }, call),
    ),
    ListOpenIDConnectProviderTags: rows.full(
      "ListOpenIDConnectProviderTags",
      about,
      (deps, { OpenIDConnectProviderArn: name, ...page }, call) =>
        listTags(deps, type, { name, ...page }, call),
    ),
  };
}
