/** Roles assumed by users and by roles, as the SDK sees it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CreateClusterCommand, ListClustersCommand } from "@aws-sdk/client-ecs";
import {
  CreatePolicyCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  UpdateRoleCommand,
} from "@aws-sdk/client-iam";
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
} from "@aws-sdk/client-sts";
import { ACCOUNT_ID } from "../door-kit.ts";
import {
  type AccessDoor,
  type Clients,
  keyOf,
  OTHER_ACCOUNT,
  OTHER_ROOT_KEY,
  openAccessDoor,
  policy,
  trust,
} from "./access-kit.ts";

const OWN = { AWS: ACCOUNT_ID };
const MAY_ASSUME = policy({ Action: "sts:*" });
const DENIED = { name: "AccessDenied", message: /is not authorized to perform: sts:AssumeRole on/ };

let door: AccessDoor;
before(async () => {
  door = await openAccessDoor();
});
after(() => door[Symbol.asyncDispose]());

async function assume(
  { sts }: Clients,
  RoleArn: string,
  more: Partial<AssumeRoleCommandInput> = {},
): Promise<Clients> {
  const input = { RoleArn, RoleSessionName: "test", ...more };
  return door.as(keyOf((await sts.send(new AssumeRoleCommand(input))).Credentials));
}

const list = ({ ecs }: Clients) => ecs.send(new ListClustersCommand({}));

describe("AssumeRole", () => {
  test("gives the rights of a role that trusts the account to those whom the account lets", async () => {
    const role = await door.addRole("reader", trust(OWN), policy({ Action: "ecs:List*" }));
    const user = await door.addUser("assumer", MAY_ASSUME);
    const answer = await user.sts.send(
      new AssumeRoleCommand({ RoleArn: role, RoleSessionName: "ada@x" }),
    );
    const arn = `arn:aws:sts::${ACCOUNT_ID}:assumed-role/reader/ada@x`;
    assert.equal(answer.AssumedRoleUser?.Arn, arn);
    assert.match(answer.AssumedRoleUser?.AssumedRoleId ?? "", /^AROA[A-Z2-7]{17}:ada@x$/);
    assert.equal(answer.PackedPolicySize, undefined);
    const session = door.as(keyOf(answer.Credentials));
    const identity = await session.sts.send(new GetCallerIdentityCommand({}));
    assert.deepEqual([identity.Arn, identity.UserId], [arn, answer.AssumedRoleUser?.AssumedRoleId]);
    await list(session);
    await assert.rejects(session.ecs.send(new CreateClusterCommand({})), {
      message: `User: ${arn} is not authorized to perform: ecs:CreateCluster on resource: arn:aws:ecs:us-east-1:${ACCOUNT_ID}:cluster/default because no identity-based policy allows the ecs:CreateCluster action`,
    });
    const nobody = await door.addUser("not-assumer");
    await assert.rejects(assume(nobody, role), DENIED);
    await assert.rejects(assume(door.root, role), {
      name: "AccessDenied",
      message: "Roles may not be assumed by root accounts.",
    });
    const missing = `arn:aws:iam::${ACCOUNT_ID}:role/missing`;
    await assert.rejects(assume(user, missing), DENIED);
  });

  test("of another account takes the word of both, and its external id", async () => {
    const conditions = { Condition: { StringEquals: { "sts:ExternalId": "secret" } } };
    const role = await door.addRole("shared", trust({ AWS: OTHER_ACCOUNT }, conditions));
    const own = await door.addUser("own", MAY_ASSUME);
    await assert.rejects(assume(own, role, { ExternalId: "secret" }), DENIED);
    const stranger = await door.addUser("stranger", { as: OTHER_ROOT_KEY }, MAY_ASSUME);
    await assert.rejects(assume(stranger, role), DENIED);
    const session = await assume(stranger, role, { ExternalId: "secret" });
    const { Account } = await session.sts.send(new GetCallerIdentityCommand({}));
    assert.equal(Account, ACCOUNT_ID);
    const powerless = await door.addUser("powerless", { as: OTHER_ROOT_KEY });
    await assert.rejects(assume(powerless, role, { ExternalId: "secret" }), DENIED);
  });

  test("needs the external id that the role asks for", async () => {
    const conditions = { Condition: { StringEquals: { "sts:ExternalId": "secret" } } };
    const role = await door.addRole("external", trust(OWN, conditions));
    const user = await door.addUser("partner", MAY_ASSUME);
    await assume(user, role, { ExternalId: "secret" });
    await assert.rejects(assume(user, role, { ExternalId: "guess" }), DENIED);
    await assert.rejects(assume(user, role), DENIED);
    await assert.rejects(assume(user, role, { ExternalId: "a b" }), { name: /AccessDenied|Val/ });
  });

  test("can narrow a session by policies, in text and by ARN, that fit into it", async () => {
    const role = await door.addRole("wide", trust(OWN), policy({ Action: "ecs:*" }));
    const user = await door.addUser("narrower", MAY_ASSUME);
    const narrow = await assume(user, role, { Policy: policy({ Action: "ecs:ListClusters" }) });
    await list(narrow);
    await assert.rejects(narrow.ecs.send(new CreateClusterCommand({})), {
      message: /because no session policy allows the ecs:CreateCluster action$/,
    });
    const arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    const { PackedPolicySize } = await user.sts.send(
      new AssumeRoleCommand({
        RoleArn: role,
        RoleSessionName: "test",
        PolicyArns: [{ arn }],
      }),
    );
    assert.ok((PackedPolicySize ?? 0) > 0 && (PackedPolicySize ?? 0) <= 100);
    await assert.rejects(list(await assume(user, role, { PolicyArns: [{ arn }] })));
    await assert.rejects(assume(user, role, { Policy: "{" }), {
      name: "MalformedPolicyDocumentException",
    });
    await assert.rejects(assume(user, role, { Policy: "x".repeat(2049) }), {
      name: "ValidationError",
      message: /at 'policy' .* less than or equal to 2048$/,
    });
    await assert.rejects(assume(user, role, { PolicyArns: Array(11).fill({ arn }) }), {
      name: "ValidationError",
    });
    const large = Array.from({ length: 50 }, (_, index) => ({
      Key: `key${index}`,
      Value: noise(index),
    }));
    const tagged = trust(OWN, { Action: ["sts:AssumeRole", "sts:TagSession"] });
    const taggable = await door.addRole("taggable", tagged);
    await assert.rejects(assume(user, taggable, { Tags: large }), {
      name: "PackedPolicyTooLargeException",
      message: /^Packed size of session tags consumes \d+% of allotted space\.$/,
    });
  });

  test("is narrowed by managed policies of the role's account or of AWS, not of others", async () => {
    const role = await door.addRole("owner", trust(OWN), policy({ Action: "ecs:*" }));
    const user = await door.addUser("borrower", MAY_ASSUME);
    const make = async ({ iam }: Clients): Promise<string> => {
      const PolicyDocument = policy({ Action: "ecs:ListClusters" });
      const input = { PolicyName: "lister", PolicyDocument };
      return (await iam.send(new CreatePolicyCommand(input))).Policy?.Arn ?? "";
    };
    const foreign = await make(door.as(OTHER_ROOT_KEY));
    await assert.rejects(assume(user, role, { PolicyArns: [{ arn: foreign }] }), {
      name: "ValidationError",
      message: `Policy ${foreign} does not exist or is not attachable.`,
    });
    const own = await make(door.root);
    await list(await assume(user, role, { PolicyArns: [{ arn: own }] }));
  });

  test("lasts as long as it may", async () => {
    const role = await door.addRole("long", trust(OWN), policy({ Action: ["ecs:*", "sts:*"] }));
    const user = await door.addUser("patient", MAY_ASSUME);
    const tooLong = { name: "ValidationError", message: /MaxSessionDuration set for this role/ };
    await assert.rejects(assume(user, role, { DurationSeconds: 7200 }), tooLong);
    await assert.rejects(assume(user, role, { DurationSeconds: 899 }), { name: "ValidationError" });
    await assert.rejects(assume(user, role, { DurationSeconds: 43_201 }), {
      message: /less than or equal to 43200$/,
    });
    await door.root.iam.send(new UpdateRoleCommand({ RoleName: "long", MaxSessionDuration: 7200 }));
    const session = await assume(user, role, { DurationSeconds: 7200 });
    await assert.rejects(assume(session, role, { DurationSeconds: 3601 }), {
      name: "ValidationError",
      message: /exceeds the 1 hour session limit for roles assumed by role chaining/,
    });
    const chained = await assume(session, role);
    await list(chained);
    door.age(3600);
    await assert.rejects(list(chained), { name: "ExpiredTokenException" });
    await list(session);
  });

  test("ends with its role, also when another one gets the name", async () => {
    const RoleName = "gone";
    const role = await door.addRole(RoleName, trust(OWN), policy({ Action: "ecs:*" }));
    const user = await door.addUser("survivor", MAY_ASSUME);
    const session = await assume(user, role);
    await list(session);
    await door.root.iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: "own" }));
    await assert.rejects(list(session), { name: "AccessDeniedException" });
    await door.root.iam.send(new DeleteRoleCommand({ RoleName }));
    await assert.rejects(list(session), { name: "UnrecognizedClientException" });
    await door.addRole(RoleName, trust(OWN), policy({ Action: "ecs:*" }));
    await assert.rejects(list(session), { name: "UnrecognizedClientException" });
    await assert.rejects(session.sts.send(new GetCallerIdentityCommand({})), {
      name: "InvalidClientTokenId",
    });
  });

  test("passes tags and a source identity on, where the role lets it", async () => {
    const actions = { Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] };
    const condition = {
      StringEquals: { "aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "ada" },
    };
    const rights = policy({ Action: "ecs:*", Condition: condition }, { Action: "sts:*" });
    const first = await door.addRole("first", trust(OWN, actions), rights);
    const second = await door.addRole("second", trust(OWN, actions), rights);
    const third = await door.addRole("third", trust(OWN), rights);
    const user = await door.addUser("tagger", MAY_ASSUME);
    const Tags = [{ Key: "team", Value: "blue" }];
    const tagged = { Tags, SourceIdentity: "ada", TransitiveTagKeys: ["team"] };
    await assert.rejects(assume(user, third, { Tags }), {
      message: /perform: sts:TagSession on resource/,
    });
    await assert.rejects(assume(user, third, { SourceIdentity: "ada" }), {
      message: /perform: sts:SetSourceIdentity on resource/,
    });
    const session = await assume(user, first, tagged);
    await list(session);
    await list(await assume(session, second));
    await assert.rejects(assume(session, third), { message: /sts:TagSession/ });
    await assert.rejects(assume(session, second, { SourceIdentity: "eve" }), {
      message: "The source identity of a session cannot be changed.",
    });
    await assert.rejects(assume(session, second, { Tags: [{ Key: "TEAM", Value: "red" }] }), {
      name: "ValidationError",
      message: /conflicts with a transitive tag key from the calling session/,
    });
    const local = await assume(user, first, { Tags, SourceIdentity: "ada" });
    const onwards = await assume(local, second);
    await assert.rejects(list(onwards), { name: "AccessDeniedException" }, "not transitive");
    const wrong = { Tags, TransitiveTagKeys: ["other"] };
    await assert.rejects(assume(user, first, wrong), {
      message: /must be included in the requested/,
    });
    const twice = { Tags: [...Tags, { Key: "Team", Value: "red" }] };
    await assert.rejects(assume(user, first, twice), { message: /Duplicate tag keys found/ });
  });

  for (const [what, input] of [
    ["a session name", { RoleSessionName: "a b" }],
    ["a short session name", { RoleSessionName: "a" }],
  ] as const) {
    test(`refuses ${what} that breaks the rules`, async () => {
      const role = `arn:aws:iam::${ACCOUNT_ID}:role/reader`;
      const user = await door.addUser(`named-${what.length}`, MAY_ASSUME);
      await assert.rejects(assume(user, role, input), {
        name: "ValidationError",
        message: /at 'roleSessionName' failed to satisfy constraint: Member must/,
      });
    });
  }
});

describe("a session's token", () => {
  test("is good for its own key only, and not when it is changed", async () => {
    const role = await door.addRole("sealed", trust(OWN), policy({ Action: "ecs:*" }));
    const user = await door.addUser("thief", MAY_ASSUME);
    const input = { RoleArn: role, RoleSessionName: "test" };
    const [mine, other] = await Promise.all(
      [1, 2].map(async () =>
        keyOf((await user.sts.send(new AssumeRoleCommand(input))).Credentials),
      ),
    );
    assert.ok(mine?.sessionToken && other?.sessionToken);
    await list(door.as(mine));
    const { sessionToken: _, ...bare } = mine;
    const middle = Math.floor(mine.sessionToken.length / 2);
    const changed = mine.sessionToken[middle] === "A" ? "B" : "A";
    const forged =
      mine.sessionToken.slice(0, middle) + changed + mine.sessionToken.slice(middle + 1);
    for (const key of [
      bare,
      { ...mine, sessionToken: other.sessionToken },
      { ...mine, sessionToken: forged },
      { ...mine, sessionToken: `${mine.sessionToken}AAAA` },
      { ...user.key, sessionToken: mine.sessionToken },
    ]) {
      await assert.rejects(list(door.as(key)), { name: "UnrecognizedClientException" });
    }
    const wrongSecret = { ...mine, secretAccessKey: other.secretAccessKey };
    await assert.rejects(list(door.as(wrongSecret)), { name: "InvalidSignatureException" });
  });
});

/** Text that does not pack well. */
function noise(seed: number): string {
  let state = seed + 1;
  return Array.from({ length: 200 }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state >> 8).toString(36).slice(-1);
  }).join("");
}
