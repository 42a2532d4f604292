/** Users, their rights and refusals, as the SDK sees them. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DescribeVpcsCommand } from "@aws-sdk/client-ec2";
import {
  CreateClusterCommand,
  DescribeClustersCommand,
  ListClustersCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import {
  CreatePolicyCommand,
  DeleteAccessKeyCommand,
  DeleteUserPolicyCommand,
  ListUsersCommand,
  PutUserPermissionsBoundaryCommand,
  PutUserPolicyCommand,
  UpdateAccessKeyCommand,
} from "@aws-sdk/client-iam";
import {
  DecodeAuthorizationMessageCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
} from "@aws-sdk/client-sts";
import { ACCOUNT_ID } from "../door-kit.ts";
import {
  type AccessDoor,
  attach,
  keyOf,
  OTHER_ROOT_KEY,
  openAccessDoor,
  policy,
  trust,
} from "./access-kit.ts";

const CLUSTER = (name: string): string => `arn:aws:ecs:us-east-1:${ACCOUNT_ID}:cluster/${name}`;
const DENIED = { name: "AccessDeniedException" };
const container = { name: "web", image: "hello", memory: 64 };
const TASKS = { Service: "ecs-tasks.amazonaws.com" };

let door: AccessDoor;
before(async () => {
  door = await openAccessDoor();
});
after(() => door[Symbol.asyncDispose]());

describe("a user", () => {
  test("that is new may nothing but ask who it is", async () => {
    const { ecs, iam, sts, ec2 } = await door.addUser("new");
    const { Arn, Account, UserId } = await sts.send(new GetCallerIdentityCommand({}));
    assert.equal(Arn, `arn:aws:iam::${ACCOUNT_ID}:user/new`);
    assert.equal(Account, ACCOUNT_ID);
    assert.match(UserId ?? "", /^AIDA[A-Z2-7]{17}$/);
    await assert.rejects(ecs.send(new CreateClusterCommand({ clusterName: "a" })), {
      name: "AccessDeniedException",
      message: `User: ${Arn} is not authorized to perform: ecs:CreateCluster on resource: ${CLUSTER("a")} because no identity-based policy allows the ecs:CreateCluster action`,
    });
    await assert.rejects(iam.send(new ListUsersCommand({})), {
      name: "AccessDenied",
      message:
        /is not authorized to perform: iam:ListUsers on resource: .* because no identity-based/,
    });
    await assert.rejects(ec2.send(new DescribeVpcsCommand({})), {
      name: "UnauthorizedOperation",
      message: /^You are not authorized to perform this operation\. User: .*ec2:DescribeVpcs/,
    });
  });

  test("is allowed one thing and refused another, and a change counts from its next call", async () => {
    const UserName = "ada";
    const { ecs } = await door.addUser(UserName, policy({ Action: "ecs:List*" }));
    await ecs.send(new ListClustersCommand({}));
    const create = () => ecs.send(new CreateClusterCommand({ clusterName: "ada" }));
    await assert.rejects(create(), DENIED);
    const put = (PolicyDocument: string) =>
      door.root.iam.send(
        new PutUserPolicyCommand({ UserName, PolicyName: "more", PolicyDocument }),
      );
    await put(policy({ Action: "ecs:*", Resource: CLUSTER("ada") }));
    await create();
    await assert.rejects(ecs.send(new CreateClusterCommand({ clusterName: "eve" })), DENIED);
    await put(policy({ Action: "ecs:*" }, { Effect: "Deny", Action: "ecs:CreateCluster" }));
    await assert.rejects(create(), {
      message: /with an explicit deny in an identity-based policy$/,
    });
    await door.root.iam.send(new DeleteUserPolicyCommand({ UserName, PolicyName: "more" }));
    await assert.rejects(create(), { message: /because no identity-based policy allows/ });
  });

  test("must be allowed every resource of a call", async () => {
    const { ecs } = await door.addUser("two", policy({ Action: "ecs:*", Resource: CLUSTER("x") }));
    await ecs.send(new DescribeClustersCommand({ clusters: ["x"] }));
    await assert.rejects(ecs.send(new DescribeClustersCommand({ clusters: ["x", "y"] })), {
      message: new RegExp(`on resource: ${CLUSTER("y")} because`),
    });
  });

  test("can do no more than its boundary, whatever its policies say", async () => {
    const { ecs } = await door.addUser("bound");
    await attach(door, "bound", "arn:aws:iam::aws:policy/AdministratorAccess");
    await ecs.send(new CreateClusterCommand({ clusterName: "bound" }));
    const { Policy } = await door.root.iam.send(
      new CreatePolicyCommand({
        PolicyName: "limit",
        PolicyDocument: policy({ Action: "ecs:Describe*" }),
      }),
    );
    await door.root.iam.send(
      new PutUserPermissionsBoundaryCommand({
        UserName: "bound",
        PermissionsBoundary: Policy?.Arn ?? "",
      }),
    );
    await ecs.send(new DescribeClustersCommand({ clusters: ["bound"] }));
    await assert.rejects(ecs.send(new CreateClusterCommand({ clusterName: "bound" })), {
      message: /because no permissions boundary allows the ecs:CreateCluster action$/,
    });
  });

  test("loses access with its key, at once", async () => {
    const { ecs, key } = await door.addUser("keyed", policy({ Action: "ecs:*" }));
    const update = (Status: "Active" | "Inactive") =>
      door.root.iam.send(
        new UpdateAccessKeyCommand({ UserName: "keyed", AccessKeyId: key.accessKeyId, Status }),
      );
    await ecs.send(new ListClustersCommand({}));
    await update("Inactive");
    const refused = { name: "UnrecognizedClientException" };
    await assert.rejects(ecs.send(new ListClustersCommand({})), refused);
    await update("Active");
    await ecs.send(new ListClustersCommand({}));
    await door.root.iam.send(
      new DeleteAccessKeyCommand({ UserName: "keyed", AccessKeyId: key.accessKeyId }),
    );
    await assert.rejects(ecs.send(new ListClustersCommand({})), refused);
  });

  test("gets a session of its own rights, except over IAM", async () => {
    const { sts } = await door.addUser("lasting", policy({ Action: ["ecs:*", "iam:*", "sts:*"] }));
    const { Credentials } = await sts.send(new GetSessionTokenCommand({ DurationSeconds: 900 }));
    const session = door.as(keyOf(Credentials));
    await session.ecs.send(new ListClustersCommand({}));
    const { Arn } = await session.sts.send(new GetCallerIdentityCommand({}));
    assert.equal(Arn, `arn:aws:iam::${ACCOUNT_ID}:user/lasting`);
    await assert.rejects(session.iam.send(new ListUsersCommand({})), { name: "AccessDenied" });
    await assert.rejects(session.sts.send(new GetSessionTokenCommand({})), {
      name: "AccessDenied",
      message: "Cannot call GetSessionToken with session credentials",
    });
    await assert.rejects(sts.send(new GetSessionTokenCommand({ DurationSeconds: 899 })), {
      name: "ValidationError",
      message: /Value '899' at 'durationSeconds' .* greater than or equal to 900$/,
    });
    door.age(901);
    await assert.rejects(session.ecs.send(new ListClustersCommand({})), {
      name: "ExpiredTokenException",
      message: "The security token included in the request is expired",
    });
    await assert.rejects(session.sts.send(new GetCallerIdentityCommand({})), {
      name: "ExpiredToken",
    });
  });
});

describe("what ECS asks beside the action", () => {
  test("iam:PassRole for the roles of a definition, and of the tasks that are started", async () => {
    const allowed = await door.addRole("passed", trust(TASKS));
    const other = await door.addRole("kept", trust(TASKS));
    const { ecs } = await door.addUser(
      "passer",
      policy(
        { Action: ["ecs:RegisterTaskDefinition", "ecs:RunTask"] },
        {
          Action: "iam:PassRole",
          Resource: allowed,
          Condition: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
        },
      ),
    );
    const register = (taskRoleArn: string) =>
      ecs.send(
        new RegisterTaskDefinitionCommand({
          family: "passed",
          taskRoleArn,
          containerDefinitions: [container],
        }),
      );
    await register(allowed);
    const refusal = {
      name: "AccessDeniedException",
      message: new RegExp(`perform: iam:PassRole on resource: ${other} because no identity-based`),
    };
    await assert.rejects(register(other), refusal);
    await assert.rejects(register("kept"), refusal, "by its name, too");
    await door.root.ecs.send(new CreateClusterCommand({}));
    const run = (taskDefinition: string, overrides = {}) =>
      ecs.send(new RunTaskCommand({ taskDefinition, overrides }));
    await assert.rejects(run("passed", { executionRoleArn: other }), refusal);
    await assert.rejects(run("passed"), { name: "InvalidParameterException" }, "no instances");
    await door.root.ecs.send(
      new RegisterTaskDefinitionCommand({
        family: "passed",
        taskRoleArn: other,
        containerDefinitions: [container],
      }),
    );
    await assert.rejects(run("passed"), refusal, "the newest revision has the other role");
    await assert.rejects(run("passed:1"), { name: "InvalidParameterException" });
  });

  test("the revision that will run, however it is named", async () => {
    for (const _ of [1, 2]) {
      await door.root.ecs.send(
        new RegisterTaskDefinitionCommand({ family: "pinned", containerDefinitions: [container] }),
      );
    }
    const second = `arn:aws:ecs:us-east-1:${ACCOUNT_ID}:task-definition/pinned:2`;
    const { ecs } = await door.addUser(
      "pinned",
      policy({ Action: "ecs:*" }, { Effect: "Deny", Action: "ecs:RunTask", Resource: second }),
    );
    for (const taskDefinition of ["pinned", "pinned:2", second]) {
      await assert.rejects(ecs.send(new RunTaskCommand({ taskDefinition })), DENIED);
    }
    const first = ecs.send(new RunTaskCommand({ taskDefinition: "pinned:1" }));
    await assert.rejects(first, { name: "InvalidParameterException" });
  });

  test("ecs:TagResource to create with tags, by the action and the tags", async () => {
    const { ecs } = await door.addUser(
      "tagger",
      policy(
        { Action: "ecs:CreateCluster" },
        {
          Action: "ecs:TagResource",
          Condition: {
            StringEquals: { "ecs:CreateAction": "CreateCluster", "aws:RequestTag/team": "blue" },
          },
        },
      ),
    );
    const create = (clusterName: string, value?: string) =>
      ecs.send(
        new CreateClusterCommand({
          clusterName,
          ...(value !== undefined && { tags: [{ key: "team", value }] }),
        }),
      );
    await create("untagged");
    await create("tagged", "blue");
    await assert.rejects(create("wrong", "red"), {
      message: /perform: ecs:TagResource on resource/,
    });
  });

  test("the tags of what is there, and the cluster of what is in one", async () => {
    const tags = [{ key: "team", value: "blue" }];
    await door.root.ecs.send(new CreateClusterCommand({ clusterName: "blue", tags }));
    await door.root.ecs.send(new CreateClusterCommand({ clusterName: "red" }));
    const { ecs } = await door.addUser(
      "by-tag",
      policy(
        {
          Action: "ecs:DescribeClusters",
          Condition: { StringEquals: { "aws:ResourceTag/team": "blue" } },
        },
        { Action: "ecs:StopTask", Condition: { ArnEquals: { "ecs:cluster": CLUSTER("blue") } } },
      ),
    );
    await ecs.send(new DescribeClustersCommand({ clusters: ["blue"] }));
    await assert.rejects(ecs.send(new DescribeClustersCommand({ clusters: ["red"] })), DENIED);
    const stop = (cluster: string) => ecs.send(new StopTaskCommand({ cluster, task: "1" }));
    await assert.rejects(stop("red"), DENIED);
    await assert.rejects(stop("blue"), { name: "InvalidParameterException" });
  });

  test("size, privileges and compatibilities of a definition", async () => {
    const { ecs } = await door.addUser(
      "small",
      policy({
        Action: "ecs:RegisterTaskDefinition",
        Condition: {
          NumericLessThanEquals: { "ecs:task-cpu": "512", "ecs:task-memory": "1024" },
          Bool: { "ecs:privileged": "false" },
          "ForAllValues:StringEquals": { "ecs:compute-compatibility": ["FARGATE"] },
        },
      }),
    );
    const good = {
      family: "small",
      networkMode: "awsvpc",
      requiresCompatibilities: ["FARGATE"],
      cpu: ".25 vCPU",
      memory: "1 GB",
      containerDefinitions: [container],
    } as const;
    const register = (more: object) =>
      ecs.send(new RegisterTaskDefinitionCommand({ ...structuredClone(good), ...more } as never));
    await register({});
    for (const more of [
      { cpu: "1024", memory: "2048" },
      { cpu: undefined },
      { containerDefinitions: [{ ...container, privileged: true }] },
      { requiresCompatibilities: ["FARGATE", "EC2"] },
    ]) {
      await assert.rejects(register(more), DENIED);
    }
  });
});

test("what EC2 refuses, STS decodes for those who may know", async () => {
  const { ec2 } = await door.addUser(
    "refused",
    policy({ Sid: "NoVpcs", Effect: "Deny", Action: "ec2:DescribeVpcs" }),
  );
  const refusal = await ec2.send(new DescribeVpcsCommand({})).catch((error: Error) => error);
  assert.ok(refusal instanceof Error);
  const [, EncodedMessage] =
    /Encoded authorization failure message: (\S+)$/.exec(refusal.message) ?? [];
  const decode = new DecodeAuthorizationMessageCommand({ EncodedMessage });
  const { DecodedMessage } = await door.root.sts.send(decode);
  const details = JSON.parse(DecodedMessage ?? "");
  assert.equal(details.explicitDeny, true);
  assert.equal(details.matchedStatements.items[0].statementId, "NoVpcs");
  assert.equal(details.context.action, "ec2:DescribeVpcs");
  const invalid = { name: "InvalidAuthorizationMessageException" };
  await assert.rejects(door.as(OTHER_ROOT_KEY).sts.send(decode), invalid, "another account");
  const forged = new DecodeAuthorizationMessageCommand({ EncodedMessage: `${EncodedMessage}x` });
  await assert.rejects(door.root.sts.send(forged), invalid);
  const { sts } = await door.addUser("curious");
  await assert.rejects(sts.send(decode), { name: "AccessDenied" });
});
