import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACCOUNT, callOf } from "../iam.fixture.ts";
import { allowing, type IamApi, startApi, trusting } from "./api.fixture.ts";

describe("an account", () => {
  test("has one alias, which no other account has", async (t) => {
    const { run } = await startApi(t);
    const other = callOf("222222222222");
    const aliases = async (call = other): Promise<unknown> =>
      (await run("ListAccountAliases", {}, call)).AccountAliases;
    await run("CreateAccountAlias", { AccountAlias: "acme" });
    await run("CreateAccountAlias", { AccountAlias: "acme" });
    await assert.rejects(run("CreateAccountAlias", { AccountAlias: "acme" }, other), {
      code: "EntityAlreadyExistsException",
    });
    await run("CreateAccountAlias", { AccountAlias: "acme-2" });
    await run("CreateAccountAlias", { AccountAlias: "acme" }, other);
    assert.deepEqual(await aliases(), ["acme"]);
    assert.deepEqual((await run("ListAccountAliases", {})).AccountAliases, ["acme-2"]);
    await run("DeleteAccountAlias", { AccountAlias: "acme" }, other);
    assert.deepEqual(await aliases(), []);
    await assert.rejects(run("DeleteAccountAlias", { AccountAlias: "acme-2" }, other), {
      code: "NoSuchEntityException",
    });
    for (const AccountAlias of ["ab", "-abc", "a--b", "Abc"]) {
      await assert.rejects(run("CreateAccountAlias", { AccountAlias }), {
        code: "ValidationError",
      });
    }
  });

  test("sums up what it has and what it may have", async (t) => {
    const { run } = await startApi(t);
    await fill(run);
    const { SummaryMap } = await run("GetAccountSummary", {});
    const { Users, Groups, Roles, Policies, PolicyVersionsInUse, UsersQuota } = SummaryMap ?? {};
    assert.deepEqual(
      { Users, Groups, Roles, Policies, PolicyVersionsInUse, UsersQuota },
      { Users: 2, Groups: 1, Roles: 1, Policies: 1, PolicyVersionsInUse: 1, UsersQuota: 5000 },
    );
  });

  test("tells everything about rights, page by page, kind by kind", async (t) => {
    const { run } = await startApi(t);
    await fill(run);
    const all = await run("GetAccountAuthorizationDetails", {});
    const [ada] = all.UserDetailList ?? [];
    assert.deepEqual(ada?.GroupList, ["dev"]);
    assert.deepEqual(ada?.AttachedManagedPolicies, [
      { PolicyName: "ReadOnlyAccess", PolicyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess" },
    ]);
    const [inline] = ada?.UserPolicyList ?? [];
    assert.equal(decodeURIComponent(inline?.PolicyDocument ?? ""), allowing("ecs:*"));
    const [role] = all.RoleDetailList ?? [];
    assert.deepEqual(
      role?.InstanceProfileList?.map((each) => each.InstanceProfileName),
      ["i"],
    );
    assert.equal(decodeURIComponent(role?.AssumeRolePolicyDocument ?? ""), trusting());
    assert.deepEqual(
      all.Policies?.map(({ PolicyName, PolicyVersionList }) => [
        PolicyName,
        PolicyVersionList?.length,
      ]),
      [
        ["p", 1],
        ["ReadOnlyAccess", 1],
      ],
    );

    const seen: unknown[] = [];
    let Marker: string | undefined;
    do {
      const page = await run("GetAccountAuthorizationDetails", { MaxItems: 1, Marker });
      const lists = [page.UserDetailList, page.GroupDetailList, page.RoleDetailList, page.Policies];
      assert.equal(lists.flat().length, 1);
      seen.push(...lists.flat());
      Marker = page.Marker;
    } while (Marker !== undefined);
    assert.equal(seen.length, 6);
    const only = await run("GetAccountAuthorizationDetails", { Filter: ["AWSManagedPolicy"] });
    assert.deepEqual(
      [only.Policies?.length, only.UserDetailList?.length, only.RoleDetailList?.length],
      [1, 0, 0],
    );
  });
});

describe("OpenID Connect providers", () => {
  const Url = "https://issuer.example.com/tenant";
  const OpenIDConnectProviderArn = `arn:aws:iam::${ACCOUNT}:oidc-provider/issuer.example.com/tenant`;

  test("have audiences and thumbprints", async (t) => {
    const { run } = await startApi(t);
    const made = await run("CreateOpenIDConnectProvider", {
      Url,
      ClientIDList: ["one"],
      ThumbprintList: ["A".repeat(40)],
    });
    assert.equal(made.OpenIDConnectProviderArn, OpenIDConnectProviderArn);
    await assert.rejects(run("CreateOpenIDConnectProvider", { Url: `${Url}/` }), {
      message: `Provider with url ${Url} already exists.`,
    });
    await run("AddClientIDToOpenIDConnectProvider", { OpenIDConnectProviderArn, ClientID: "two" });
    await run("RemoveClientIDFromOpenIDConnectProvider", {
      OpenIDConnectProviderArn,
      ClientID: "one",
    });
    await run("UpdateOpenIDConnectProviderThumbprint", {
      OpenIDConnectProviderArn,
      ThumbprintList: ["b".repeat(40)],
    });
    await run("TagOpenIDConnectProvider", {
      OpenIDConnectProviderArn,
      Tags: [{ Key: "k", Value: "v" }],
    });
    const { CreateDate: _, ...shown } = await run("GetOpenIDConnectProvider", {
      OpenIDConnectProviderArn,
    });
    assert.deepEqual(shown, {
      Url: "issuer.example.com/tenant",
      ClientIDList: ["two"],
      ThumbprintList: ["b".repeat(40)],
      Tags: [{ Key: "k", Value: "v" }],
    });
    const { OpenIDConnectProviderList } = await run("ListOpenIDConnectProviders", {});
    assert.deepEqual(OpenIDConnectProviderList, [{ Arn: OpenIDConnectProviderArn }]);
    await run("DeleteOpenIDConnectProvider", { OpenIDConnectProviderArn });
    await assert.rejects(run("GetOpenIDConnectProvider", { OpenIDConnectProviderArn }), {
      message: `OpenIDConnect Provider not found for arn ${OpenIDConnectProviderArn}`,
    });
  });

  for (const url of ["http://x.example", "https://x.example/?q", "x.example", "https://"]) {
    test(`refuse ${url}`, async (t) => {
      const { run } = await startApi(t);
      await assert.rejects(run("CreateOpenIDConnectProvider", { Url: url }), {
        code: "ValidationError",
      });
    });
  }
});

describe("tags", () => {
  test("are added, replaced whatever their case, removed, listed in pages", async (t) => {
    const { run } = await startApi(t);
    await fill(run);
    const PolicyArn = `arn:aws:iam::${ACCOUNT}:policy/p`;
    const Tags = [
      { Key: "Team", Value: "a" },
      { Key: "stage", Value: "b" },
    ];
    await run("TagPolicy", { PolicyArn, Tags });
    await run("TagPolicy", { PolicyArn, Tags: [{ Key: "team", Value: "c" }] });
    const first = await run("ListPolicyTags", { PolicyArn, MaxItems: 1 });
    assert.deepEqual([first.Tags, first.IsTruncated], [[{ Key: "stage", Value: "b" }], true]);
    const second = await run("ListPolicyTags", { PolicyArn, Marker: first.Marker });
    assert.deepEqual(second.Tags, [{ Key: "team", Value: "c" }]);
    await run("UntagPolicy", { PolicyArn, TagKeys: ["TEAM", "none"] });
    assert.equal((await run("ListPolicyTags", { PolicyArn })).Tags?.length, 1);

    const many = (n: number) => Array.from({ length: n }, (_, i) => ({ Key: `k${i}`, Value: "" }));
    await run("TagRole", { RoleName: "r", Tags: many(50) });
    await assert.rejects(run("TagRole", { RoleName: "r", Tags: [{ Key: "more", Value: "" }] }), {
      code: "LimitExceededException",
    });
    await run("TagInstanceProfile", { InstanceProfileName: "i", Tags });
    await run("TagUser", { UserName: "ada", Tags });
    assert.deepEqual((await run("GetUser", { UserName: "ada" })).User?.Tags, Tags);
  });
});

async function fill(run: IamApi["run"]): Promise<void> {
  const RoleName = "r";
  await run("CreateUser", { UserName: "ada" });
  await run("CreateUser", { UserName: "grace" });
  await run("CreateGroup", { GroupName: "dev" });
  await run("AddUserToGroup", { UserName: "ada", GroupName: "dev" });
  await run("CreateRole", { RoleName, AssumeRolePolicyDocument: trusting() });
  await run("CreateInstanceProfile", { InstanceProfileName: "i" });
  await run("AddRoleToInstanceProfile", { InstanceProfileName: "i", RoleName });
  await run("CreatePolicy", { PolicyName: "p", PolicyDocument: allowing("ecs:*") });
  await run("PutUserPolicy", {
    UserName: "ada",
    PolicyName: "own",
    PolicyDocument: allowing("ecs:*"),
  });
  await run("AttachUserPolicy", {
    UserName: "ada",
    PolicyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess",
  });
}
