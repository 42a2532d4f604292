import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError } from "../../lib/errors.ts";
import { ACCOUNT } from "../iam.fixture.ts";
import type { AccessKey } from "../model/access-key.ts";
import { userArn } from "../model/arns.ts";
import {
  groupsPrefix,
  instanceProfilesPrefix,
  policyKey,
  roleKey,
  rolesPrefix,
  usersPrefix,
} from "../model/keys.ts";
import type { Group, InstanceProfile, PolicyHolder, Role, User } from "../model/records.ts";
import { allowing, type IamApi, startApi, trusting } from "./api.fixture.ts";
import { pageOf } from "./pages.ts";

test("the pages of a listing are the listing, in order, whatever their size", () => {
  const items = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1 }), { maxLength: 40 });
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 10 }), (names, MaxItems) => {
      const seen: string[] = [];
      let Marker: string | undefined;
      do {
        const page = pageOf(names, { MaxItems, Marker }, (name) => name);
        assert.ok(page.items.length <= MaxItems);
        seen.push(...page.items);
        Marker = page.position.Marker;
        assert.equal(page.position.IsTruncated, Marker !== undefined);
      } while (Marker !== undefined);
      assert.deepEqual(
        seen,
        names.toSorted((a, b) => (a < b ? -1 : 1)),
      );
    }),
  );
});

test("a marker of somebody's own making is refused, not believed", () => {
  fc.assert(
    fc.property(fc.string(), (Marker) => {
      try {
        pageOf(["a"], { Marker }, (name) => name);
      } catch (error) {
        assert.equal((error as ApiError).code, "ValidationError");
      }
    }),
  );
});

/** One thing that somebody does, on names so few that all of them meet. */
type Deed = (run: IamApi["run"], a: string, b: string) => Promise<unknown>;

const arnOf = (name: string): string => `arn:aws:iam::${ACCOUNT}:policy/${name}`;

const DEEDS: Readonly<Record<string, Deed>> = {
  createUser: (run, UserName) => run("CreateUser", { UserName }),
  deleteUser: (run, UserName) => run("DeleteUser", { UserName }),
  renameUser: (run, UserName, NewUserName) => run("UpdateUser", { UserName, NewUserName }),
  createKey: (run, UserName) => run("CreateAccessKey", { UserName }),
  createGroup: (run, GroupName) => run("CreateGroup", { GroupName }),
  deleteGroup: (run, GroupName) => run("DeleteGroup", { GroupName }),
  join: (run, UserName, GroupName) => run("AddUserToGroup", { UserName, GroupName }),
  leave: (run, UserName, GroupName) => run("RemoveUserFromGroup", { UserName, GroupName }),
  createPolicy: (run, PolicyName) =>
    run("CreatePolicy", { PolicyName, PolicyDocument: allowing("ecs:*") }),
  deletePolicy: (run, name) => run("DeletePolicy", { PolicyArn: arnOf(name) }),
  attachToUser: (run, UserName, b) => run("AttachUserPolicy", { UserName, PolicyArn: arnOf(b) }),
  detachFromUser: (run, UserName, b) => run("DetachUserPolicy", { UserName, PolicyArn: arnOf(b) }),
  attachToGroup: (run, GroupName, b) =>
    run("AttachGroupPolicy", { GroupName, PolicyArn: arnOf(b) }),
  bound: (run, UserName, b) =>
    run("PutUserPermissionsBoundary", { UserName, PermissionsBoundary: arnOf(b) }),
  unbound: (run, UserName) => run("DeleteUserPermissionsBoundary", { UserName }),
  createRole: (run, RoleName) =>
    run("CreateRole", { RoleName, AssumeRolePolicyDocument: trusting() }),
  deleteRole: (run, RoleName) => run("DeleteRole", { RoleName }),
  attachToRole: (run, RoleName, b) => run("AttachRolePolicy", { RoleName, PolicyArn: arnOf(b) }),
  detachFromRole: (run, RoleName, b) => run("DetachRolePolicy", { RoleName, PolicyArn: arnOf(b) }),
  createProfile: (run, name) => run("CreateInstanceProfile", { InstanceProfileName: name }),
  fillProfile: (run, name, RoleName) =>
    run("AddRoleToInstanceProfile", { InstanceProfileName: name, RoleName }),
  emptyProfile: (run, name, RoleName) =>
    run("RemoveRoleFromInstanceProfile", { InstanceProfileName: name, RoleName }),
};

test("whatever is done at once, nothing refers to what is not there", async (t) => {
  const name = fc.constantFrom("a", "b");
  const deed = fc.tuple(fc.constantFrom(...Object.keys(DEEDS)), name, name);
  const rounds = fc.array(fc.array(deed, { maxLength: 8 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(rounds, async (all) => {
      const api = await startApi(t);
      for (const round of all) {
        const outcomes = await Promise.allSettled(
          round.map(([what, a, b]) => DEEDS[what]?.(api.run, a, b)),
        );
        for (const outcome of outcomes) {
          if (outcome.status === "rejected") assert.ok(outcome.reason instanceof ApiError);
        }
        assert.deepEqual(danglingReferences(api), []);
      }
    }),
    { numRuns: 60 },
  );
});

function danglingReferences({ deps: { cache } }: IamApi): readonly string[] {
  const all = <T>(prefix: string): readonly T[] =>
    cache.list(prefix).map(({ value }) => value as T);
  const users = all<User>(usersPrefix(ACCOUNT));
  const roles = all<Role>(rolesPrefix(ACCOUNT));
  const groups = all<Group>(groupsPrefix(ACCOUNT));
  const arns = [
    ...[...users, ...roles, ...groups].flatMap((each: PolicyHolder) => each.attachedPolicyArns),
    ...users.flatMap(({ permissionsBoundary: arn }) => (arn === undefined ? [] : [arn])),
  ];
  const keys = all<AccessKey>("/-/-/iam/access-keys/");
  return [
    ...arns.filter((arn) => !cache.get(policyKey(ACCOUNT, arn.split("/").at(-1) ?? ""))),
    ...users
      .flatMap(({ groupIds }) => groupIds)
      .filter((id) => !groups.some(({ groupId }) => groupId === id)),
    ...all<InstanceProfile>(instanceProfilesPrefix(ACCOUNT))
      .flatMap(({ roleNames }) => roleNames)
      .filter((each) => cache.get(roleKey(ACCOUNT, each)) === undefined),
    ...keys
      .filter(
        ({ principalArn, userId }) =>
          !users.some((user) => userArn(user) === principalArn && user.userId === userId),
      )
      .map(({ accessKeyId }) => accessKeyId),
    ...users
      .filter((user) => keys.filter(({ userId }) => userId === user.userId).length > 2)
      .map(({ userName }) => `${userName} has too many keys`),
  ];
}
