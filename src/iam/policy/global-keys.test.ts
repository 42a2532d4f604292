import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CLUSTER,
  OWN,
  ROLE_ARN,
  root,
  service,
  session,
  USER_ARN,
  user,
} from "./evaluate.fixture.ts";
import { callKeys, requestTagKeys, resourceKeys, tagValueKeys } from "./global-keys.ts";

const CALL = { now: Date.UTC(2024, 5, 1, 12, 0, 0, 999), region: "us-east-1", isSecure: false };

test("a user's call", () => {
  assert.deepEqual(
    callKeys({
      ...CALL,
      caller: user,
      userName: "ada",
      userId: "AIDAEXAMPLEEXAMPLE01",
      principalTags: { Team: "red" },
      sourceIp: "10.0.0.7",
      userAgent: "aws-cli/2",
    }),
    {
      "aws:currenttime": "2024-06-01T12:00:00Z",
      "aws:epochtime": "1717243200",
      "aws:principalaccount": OWN,
      "aws:principalarn": USER_ARN,
      "aws:principalisawsservice": "false",
      "aws:principaltag/team": "red",
      "aws:principaltype": "User",
      "aws:requestedregion": "us-east-1",
      "aws:securetransport": "false",
      "aws:sourceip": "10.0.0.7",
      "aws:useragent": "aws-cli/2",
      "aws:userid": "AIDAEXAMPLEEXAMPLE01",
      "aws:username": "ada",
      "aws:viaawsservice": "false",
    },
  );
});

test("a session's call names the role, and no user", () => {
  const keys = callKeys({
    ...CALL,
    caller: session,
    userId: "AROAEXAMPLEEXAMPLE01:ci",
    tokenIssuedAt: CALL.now - 60_000,
    sourceIdentity: "ada",
  });
  assert.equal(keys["aws:principalarn"], ROLE_ARN);
  assert.equal(keys["aws:principaltype"], "AssumedRole");
  assert.equal(keys["aws:userid"], "AROAEXAMPLEEXAMPLE01:ci");
  assert.equal(keys["aws:tokenissuetime"], "2024-06-01T11:59:00Z");
  assert.equal(keys["aws:sourceidentity"], "ada");
  assert.ok(!("aws:username" in keys));
});

test("root's call", () => {
  const keys = callKeys({ ...CALL, caller: root });
  assert.equal(keys["aws:principalarn"], `arn:aws:iam::${OWN}:root`);
  assert.equal(keys["aws:principaltype"], "Account");
  assert.equal(keys["aws:userid"], OWN);
});

test("a service's call says for whom", () => {
  const keys = callKeys({ ...CALL, caller: service, sourceArn: CLUSTER });
  assert.equal(keys["aws:principalisawsservice"], "true");
  assert.equal(keys["aws:principalservicename"], "ecs-tasks.amazonaws.com");
  assert.equal(keys["aws:sourcearn"], CLUSTER);
  assert.equal(keys["aws:sourceaccount"], OWN);
  assert.ok(!("aws:principalarn" in keys));
});

test("tags are keys whose names have no case, and a list of names as written", () => {
  assert.deepEqual(requestTagKeys({ Team: "Red", stage: "x" }), {
    "aws:requesttag/team": "Red",
    "aws:requesttag/stage": "x",
    "aws:tagkeys": ["Team", "stage"],
  });
  assert.deepEqual(requestTagKeys(undefined), {});
  assert.deepEqual(resourceKeys({ accountId: OWN, tags: { Team: "Red" } }), {
    "aws:resourceaccount": OWN,
    "aws:resourcetag/team": "Red",
  });
  assert.deepEqual(tagValueKeys("ecs:ResourceTag", { A: "b" }), { "ecs:resourcetag/a": "b" });
});
