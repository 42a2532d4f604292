import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  errorOf,
  findTestIdentity,
  ROOT_PRINCIPAL,
  rawRequest,
  signedRequest,
  testGateway,
  textOf,
} from "../../test/door-kit.ts";
import type { AccessRequest, Authorize, FindIdentity } from "./authorize.ts";
import type { RawRequest } from "./raw.ts";
import type { Operation, Principal, Service } from "./service.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

/** Allows everything but `refused`, and notes what it was asked. */
function asking(refused?: string): { asked: AccessRequest[]; authorize: Authorize } {
  const asked: AccessRequest[] = [];
  const authorize: Authorize = (request) => {
    asked.push(request);
    if (request.action !== refused) return { allowed: true };
    return { allowed: false, message: `${refused} is refused`, details: () => '{"why":"not"}' };
  };
  return { asked, authorize };
}

/** Whoever signs with the root key of the tests is this user. */
const asUser: FindIdentity = (accessKeyId, token) => {
  const identity = findTestIdentity(accessKeyId, token);
  if (identity === undefined) return undefined;
  const principal: Principal = { ...ROOT_PRINCIPAL, kind: "user", arn: "arn:user" };
  return { ...identity, principal };
};

const ROW: Operation<{ taskDefinition?: string }> = {
  support: "full",
  action: "ecs:RunTask",
  resources: ({ taskDefinition }) => [`arn:${taskDefinition}`, "arn:other"],
  conditions: (_input, _call, resource) => ({ "ecs:cluster": `of ${resource}` }),
  passedRoles: () => [{ roleArn: "arn:role", service: "ecs-tasks.amazonaws.com" }],
  dependents: () => [
    { action: "ecs:TagResource", resources: ["arn:tagged"], conditions: { "aws:TagKeys": ["a"] } },
  ],
  handle: async () => ({ tasks: [] }),
};

const ecs: Service = { name: "ecs", operations: { RunTask: ROW } };
const call = (headers = {}): RawRequest =>
  rawRequest({ operation: "RunTask", body: '{"taskDefinition":"web"}', headers });

describe("what the door asks of policies", () => {
  test("the action on its resources, with where the call came from and the operation's keys", async () => {
    const { asked, authorize } = asking();
    const gateway = testGateway({ services: [ecs], authorize });
    assert.equal((await gateway.handle(call({ "user-agent": "cli" }))).status, 200);
    assert.equal(asked.length, 1, "root may do the rest as well");
    const [request] = asked;
    assert.deepEqual(request?.resources, ["arn:web", "arn:other"]);
    assert.deepEqual(request?.conditionsOf("arn:web"), { "ecs:cluster": "of arn:web" });
    const { region, sourceIp, userAgent, isSecure } = request?.origin ?? {};
    assert.deepEqual(
      { region, sourceIp, userAgent, isSecure },
      { region: "us-east-1", sourceIp: "127.0.0.1", userAgent: "cli", isSecure: false },
    );
  });

  test("of others than root: every role that is handed over, and what else the call needs", async () => {
    const { asked, authorize } = asking();
    const gateway = testGateway({ services: [ecs], authorize, findIdentity: asUser });
    assert.equal((await gateway.handle(call())).status, 200);
    const further = asked
      .slice(1)
      .map(({ action, resources, conditionsOf }) => [action, resources, conditionsOf("")]);
    assert.deepEqual(further, [
      ["iam:PassRole", ["arn:role"], { "iam:PassedToService": "ecs-tasks.amazonaws.com" }],
      ["ecs:TagResource", ["arn:tagged"], { "aws:TagKeys": ["a"] }],
    ]);
  });

  for (const refused of ["ecs:RunTask", "iam:PassRole", "ecs:TagResource"]) {
    test(`a refusal of ${refused} is the service's access-denied error`, async () => {
      const { authorize } = asking(refused);
      const gateway = testGateway({ services: [ecs], authorize, findIdentity: asUser });
      const { code, message } = errorOf(await gateway.handle(call()));
      assert.deepEqual([code, message], ["AccessDeniedException", `${refused} is refused`]);
    });
  }

  test("EC2 adds the details for sts:DecodeAuthorizationMessage", async () => {
    const { authorize } = asking("ec2:DescribeVpcs");
    const row: Operation = {
      support: "full",
      action: "ec2:DescribeVpcs",
      resources: () => ["*"],
      handle: async () => ({}),
    };
    const services: Service[] = [{ name: "ec2", operations: { DescribeVpcs: row } }];
    const reply = await testGateway({ services, authorize }).handle(
      signedRequest({ service: "ec2", headers: FORM, body: "Action=DescribeVpcs" }),
    );
    assert.equal(reply.status, 403);
    const encoded = Buffer.from('{"why":"not"}').toString("base64url");
    assert.ok(
      textOf(reply).includes(
        "<Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. " +
          `ec2:DescribeVpcs is refused. Encoded authorization failure message: ${encoded}</Message>`,
      ),
      textOf(reply),
    );
  });

  test("an operation for everybody who signs asks no policy", async () => {
    const { asked, authorize } = asking("ecs:RunTask");
    const open: Service = {
      name: "ecs",
      operations: { RunTask: { ...ROW, access: "authenticated" } },
    };
    const gateway = testGateway({ services: [open], authorize, findIdentity: asUser });
    assert.equal((await gateway.handle(call())).status, 200);
    assert.deepEqual(asked, []);
    const { authorization: _, ...headers } = call().headers;
    const reply = await gateway.handle({ ...call(), headers });
    assert.equal(errorOf(reply).code, "MissingAuthenticationTokenException");
  });
});

describe("calls without a signature", () => {
  const answer = { AssumedRoleUser: { Arn: "arn", AssumedRoleId: "id" } };
  let caller: Principal | undefined;
  const row = (access?: "anonymous"): Operation => ({
    support: "full",
    action: "sts:AssumeRoleWithWebIdentity",
    resources: () => ["*"],
    ...(access && { access }),
    handle: async (_input, { principal }) => {
      caller = principal;
      return answer;
    },
  });
  const sts: Service = {
    name: "sts",
    operations: { AssumeRoleWithWebIdentity: row("anonymous"), AssumeRole: row() },
  };
  const unsigned = (body: string, more: Partial<RawRequest> = {}): RawRequest => ({
    method: "POST",
    target: "/",
    headers: { host: "127.0.0.1:4566", ...FORM },
    body: Buffer.from(body),
    sourceIp: "127.0.0.1",
    signal: new AbortController().signal,
    ...more,
  });
  const QUERY =
    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=r&RoleSessionName=s&WebIdentityToken=t";
  const gateway = testGateway({ services: [sts, ecs], authorize: asking().authorize });

  test("reach the one operation that needs none, by POST and by GET", async () => {
    const get = { method: "GET", target: `/?${QUERY}`, headers: { host: "127.0.0.1:4566" } };
    for (const raw of [unsigned(QUERY), unsigned("", get)]) {
      const reply = await gateway.handle(raw);
      assert.equal(reply.status, 200, textOf(reply));
      assert.match(textOf(reply), /<AssumeRoleWithWebIdentityResult>/);
      assert.equal(caller?.kind, "anonymous");
    }
  });

  const others: readonly [string, RawRequest][] = [
    ["another operation", unsigned("Action=AssumeRole&Version=2011-06-15")],
    ["two operations at once", unsigned("Action=AssumeRole", { target: `/?${QUERY}` })],
    ["no operation", unsigned("")],
    ["a name from the language", unsigned("Action=constructor")],
    [
      "JSON of another service",
      unsigned("{}", { headers: { ...call().headers, authorization: undefined } }),
    ],
    ["a body of any size", unsigned(`${QUERY}&Policy=${"x".repeat(70_000)}`)],
    ["a path", unsigned(QUERY, { target: "/path" })],
  ];
  for (const [what, raw] of others) {
    test(`are refused for ${what}`, async () => {
      caller = undefined;
      const reply = await gateway.handle(raw);
      assert.ok([400, 403].includes(reply.status));
      assert.match(textOf(reply), /MissingAuthenticationToken|InvalidAction|MalformedInput/);
      assert.equal(caller, undefined);
    });
  }
});

test("a session that has ended is told so, in the words of each protocol", async () => {
  const gateway = testGateway({ services: [], findIdentity: () => "expired" });
  const { code, status, message } = errorOf(await gateway.handle(rawRequest()));
  assert.deepEqual(
    [status, code, message],
    [400, "ExpiredTokenException", "The security token included in the request is expired"],
  );
  const body = "Action=ListUsers&Version=2010-05-08";
  const reply = await gateway.handle(signedRequest({ service: "iam", headers: FORM, body }));
  assert.equal(reply.status, 403);
  assert.match(textOf(reply), /<Code>ExpiredToken<\/Code>/);
});
