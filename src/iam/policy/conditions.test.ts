// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written like that.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileCondition, isOperatorName } from "./conditions.ts";
import type { Context } from "./context.ts";

/** Condition values, then what the request has for the key `k` (undefined: nothing), and whether it holds. */
type Case = readonly [
  values: string | readonly string[],
  actual: string | readonly string[] | undefined,
  holds: boolean,
];

const ARN = "arn:aws:ecs:us-east-1:111111111111:cluster/prod";

const CASES: Readonly<Record<string, readonly Case[]>> = {
  StringEquals: [
    ["ada", "ada", true],
    ["ada", "Ada", false],
    [["ada", "grace"], "grace", true],
    ["a*", "ada", false],
    ["a*", "a*", true],
    ["ada", undefined, false],
    ["", "", true],
    ["ada", ["grace", "ada"], true],
    [[], "ada", false],
  ],
  StringNotEquals: [
    ["ada", "grace", true],
    ["ada", "ada", false],
    [["ada", "grace"], "grace", false],
    ["ada", undefined, true],
    ["ada", ["grace", "ada"], false],
    [[], "ada", true],
  ],
  StringEqualsIgnoreCase: [
    ["ADA", "ada", true],
    ["ada", "grace", false],
    ["ada", undefined, false],
  ],
  StringNotEqualsIgnoreCase: [
    ["ADA", "ada", false],
    ["ada", "grace", true],
    ["ada", undefined, true],
  ],
  StringLike: [
    ["a*", "ada", true],
    ["a?a", "ada", true],
    ["a?", "ada", false],
    ["A*", "ada", false],
    [["x*", "*a"], "ada", true],
    ["*", undefined, false],
  ],
  StringNotLike: [
    ["a*", "ada", false],
    ["x*", "ada", true],
    ["*", undefined, true],
  ],
  NumericEquals: [
    ["10", "10.0", true],
    ["10", "11", false],
    ["ten", "10", false],
    ["10", "ten", false],
    ["10", undefined, false],
  ],
  NumericNotEquals: [
    ["10", "11", true],
    ["10", "10", false],
    ["10", undefined, true],
  ],
  NumericLessThan: [
    ["10", "9", true],
    ["10", "10", false],
    ["-1", "-2", true],
  ],
  NumericLessThanEquals: [
    ["10", "10", true],
    ["10", "10.1", false],
  ],
  NumericGreaterThan: [
    ["10", "11", true],
    ["10", "10", false],
    [["100", "10"], "11", true],
  ],
  NumericGreaterThanEquals: [
    ["10", "10", true],
    ["10", "9", false],
  ],
  DateEquals: [
    ["2024-06-01T00:00:00Z", "2024-06-01T00:00:00Z", true],
    ["2024-06-01", "2024-06-01T00:00:00Z", true],
    ["2024-06-01T02:00:00+02:00", "2024-06-01T00:00:00Z", true],
    ["2024-06-01T02:00:00+0200", "2024-06-01T00:00:00", true],
    ["2024-05-31T22:00:00.5-02", "2024-06-01T00:00:00.5Z", true],
    ["1717200000", "2024-06-01T00:00:00Z", true],
    ["2024-06-02", "2024-06-01T00:00:00Z", false],
    ["2024-06-01", undefined, false],
  ],
  DateNotEquals: [
    ["2024-06-02", "2024-06-01T00:00:00Z", true],
    ["2024-06-01", "2024-06-01T00:00:00Z", false],
  ],
  DateLessThan: [
    ["2024-06-01T12:00:00Z", "2024-06-01T11:59:59Z", true],
    ["2024-06-01T12:00:00Z", "2024-06-01T12:00:00Z", false],
    ["2020", "2019-12-31T23:59:59Z", true],
  ],
  DateLessThanEquals: [["2024-06-01T12:00:00Z", "2024-06-01T12:00:00Z", true]],
  DateGreaterThan: [
    ["2024-06-01T12:00:00Z", "2024-06-01T12:00:01Z", true],
    ["2024-06-01T12:00:00Z", "1717243199", false],
    ["2024-06-01T12:00:00Z", "noon", false],
  ],
  DateGreaterThanEquals: [["2024-06-01T12:00:00Z", "1717243200", true]],
  Bool: [
    ["true", "true", true],
    ["TRUE", "true", true],
    ["false", "true", false],
    ["false", "false", true],
    ["true", undefined, false],
    ["yes", "yes", false],
  ],
  BinaryEquals: [
    ["QmluYXJ5", "QmluYXJ5", true],
    ["QmluYXJ5", "qmluYXJ5", false],
    ["QmluYXJ5", undefined, false],
  ],
  IpAddress: [
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    [["10.0.0.0/8", "192.168.0.0/16"], "192.168.7.7", true],
    ["0.0.0.0/0", "8.8.8.8", true],
    ["2001:db8::/32", "2001:db8:1::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["10.0.0.0/8", "2001:db8::1", false],
    ["10.0.0.0/33", "10.0.0.1", false],
    ["10.0.0.0/8", "localhost", false],
    ["10.0.0.0/8", undefined, false],
  ],
  NotIpAddress: [
    ["10.0.0.0/8", "11.0.0.1", true],
    ["10.0.0.0/8", "10.0.0.1", false],
    ["10.0.0.0/8", undefined, true],
  ],
  ArnEquals: [
    [ARN, ARN, true],
    ["arn:aws:ecs:*:111111111111:cluster/*", ARN, true],
    [ARN, undefined, false],
  ],
  ArnLike: [
    ["arn:aws:ecs:us-east-?:*:cluster/p*", ARN, true],
    ["arn:aws:ecs:*:cluster/prod", ARN, false],
    ["arn:aws:*:*:*:service/*", ARN, false],
    ["arn:aws:logs:*:*:*", "arn:aws:logs:us-east-1:111111111111:log-group:a:*", true],
    ["arn:aws:logs:*:*:log-group:a", "arn:aws:logs:us-east-1:111111111111:log-group:a:b", false],
    ["*", ARN, true],
    ["arn:aws:ecs:*:*:*", "prod", false],
  ],
  ArnNotEquals: [
    [ARN, ARN, false],
    [ARN, `${ARN}2`, true],
    [ARN, undefined, true],
  ],
  ArnNotLike: [
    ["arn:aws:ecs:*:*:*", ARN, false],
    ["arn:aws:s3:*:*:*", ARN, true],
    ["arn:aws:s3:*:*:*", undefined, true],
  ],
  Null: [
    ["true", undefined, true],
    ["true", "ada", false],
    ["false", "ada", true],
    ["false", undefined, false],
    ["true", [], true],
  ],
  StringEqualsIfExists: [
    ["ada", undefined, true],
    ["ada", "ada", true],
    ["ada", "grace", false],
  ],
  StringNotEqualsIfExists: [
    ["ada", undefined, true],
    ["ada", "ada", false],
  ],
  BoolIfExists: [
    ["false", undefined, true],
    ["false", "true", false],
  ],
  NumericLessThanIfExists: [
    ["10", undefined, true],
    ["10", "10", false],
  ],
  IpAddressIfExists: [["10.0.0.0/8", undefined, true]],
  ArnLikeIfExists: [["arn:aws:ecs:*:*:*", undefined, true]],
  "ForAllValues:StringEquals": [
    [["a", "b"], ["a", "b"], true],
    [["a", "b"], ["a"], true],
    [["a", "b"], ["a", "c"], false],
    [["a", "b"], [], true],
    [["a", "b"], undefined, true],
    [["a", "b"], "a", true],
  ],
  "ForAllValues:StringNotEquals": [
    [["a", "b"], ["c"], true],
    [["a", "b"], ["a", "c"], false],
    [["a", "b"], undefined, true],
  ],
  "ForAllValues:StringLike": [
    [["team-*"], ["team-a", "team-b"], true],
    [["team-*"], ["team-a", "x"], false],
  ],
  "ForAnyValue:StringEquals": [
    [["a", "b"], ["c", "b"], true],
    [["a", "b"], ["c"], false],
    [["a", "b"], [], false],
    [["a", "b"], undefined, false],
  ],
  "ForAnyValue:StringNotEquals": [
    [["a", "b"], ["a", "c"], true],
    [["a", "b"], ["a", "b"], false],
    [["a", "b"], undefined, false],
  ],
  "ForAnyValue:StringEqualsIfExists": [[["a"], undefined, false]],
  "ForAnyValue:ArnLike": [["arn:aws:ecs:*:*:*", ["x", ARN], true]],
  "ForAnyValue:NumericGreaterThan": [["5", ["1", "6"], true]],
};

for (const [operator, cases] of Object.entries(CASES)) {
  describe(operator, () => {
    for (const [values, actual, holds] of cases) {
      const title = `${JSON.stringify(values)} ${holds ? "takes" : "refuses"} ${JSON.stringify(actual) ?? "nothing"}`;
      test(title, () => {
        const context: Context = actual === undefined ? {} : { k: actual };
        assert.equal(holdsFor(operator, values, context), holds);
      });
    }
  });
}

const FACTS: Context = {
  "aws:username": "ada",
  "aws:principaltag/team": "red",
  "aws:principaltag/wild": "*",
  "aws:principalarn": "arn:aws:iam::111111111111:role/web",
  "aws:tagkeys": ["a", "b"],
};

/** Operator, value with a variable, what `k` is, whether it holds. */
const VARIABLES: readonly (readonly [string, string, string, boolean])[] = [
  ["StringEquals", "${aws:username}", "ada", true],
  ["StringEquals", "${AWS:UserName}", "ada", true],
  ["StringEquals", "home/${aws:username}/x", "home/ada/x", true],
  ["StringEquals", "${aws:PrincipalTag/team}-${aws:username}", "red-ada", true],
  ["StringEquals", "${aws:PrincipalTag/none}", "", false],
  ["StringNotEquals", "${aws:PrincipalTag/none}", "x", true],
  ["StringEquals", "${aws:PrincipalTag/none, 'all'}", "all", true],
  ["StringEquals", "${aws:PrincipalTag/team, 'all'}", "red", true],
  ["StringEquals", "${aws:PrincipalTag/none, 'a, b'}", "a, b", true],
  ["StringEquals", "${aws:PrincipalTag/none, ''}", "", true],
  ["StringEquals", "${*}${?}${$}", "*?$", true],
  ["StringLike", "${*}*", "*abc", true],
  ["StringLike", "${*}*", "abc", false],
  ["StringLike", "a${?}", "ab", false],
  ["StringLike", "${$}{x}", "${x}", true],
  ["StringLike", "${aws:username}-*", "ada-1", true],
  ["StringLike", "${aws:PrincipalTag/wild}", "anything", false],
  ["StringLike", "${aws:PrincipalTag/wild}", "*", true],
  ["StringEquals", "${aws:TagKeys}", "a", false],
  ["StringEquals", "${aws:username", "${aws:username", true],
  ["ArnEquals", "${aws:PrincipalArn}", "arn:aws:iam::111111111111:role/web", true],
  ["ArnLike", "arn:aws:iam::*:role/${aws:username}-*", "arn:aws:iam::1:role/ada-x", true],
  ["ArnLike", "arn:aws:iam::*:role/${aws:username}-*", "arn:aws:iam::1:role/bob-x", false],
];

describe("policy variables", () => {
  for (const [operator, value, actual, holds] of VARIABLES) {
    test(`${operator} ${value} ${holds ? "takes" : "refuses"} ${actual}`, () => {
      assert.equal(holdsFor(operator, value, { ...FACTS, k: actual }), holds);
    });
  }

  test("are plain text in documents older than 2012-10-17", () => {
    const old = compileCondition(
      { operator: "StringEquals", key: "k", values: ["${aws:username}"] },
      { variables: false },
    );
    assert.equal(old({ ...FACTS, k: "ada" }), false);
    assert.equal(old({ ...FACTS, k: "${aws:username}" }), true);
  });
});

test("keys have no case, and never mean what every object has", () => {
  assert.equal(
    compileCondition(
      { operator: "StringEquals", key: "AWS:UserName", values: ["ada"] },
      { variables: true },
    )(FACTS),
    true,
  );
  for (const key of ["constructor", "__proto__", "toString"]) {
    const condition = { operator: "Null", key, values: ["true"] };
    assert.equal(compileCondition(condition, { variables: true })({}), true);
  }
});

test("only the operators of AWS are operators", () => {
  for (const name of ["StringEquals", "ForAnyValue:ArnLikeIfExists", "Null", "NotIpAddress"]) {
    assert.ok(isOperatorName(name), name);
  }
  for (const name of ["", "x", "stringEquals", "NullIfExists", "BinaryNotEquals", "IfExists"]) {
    assert.ok(!isOperatorName(name), name);
  }
  assert.ok(!isOperatorName("ForAnyValue::StringEquals"));
  assert.ok(!isOperatorName("constructor"));
});

function holdsFor(operator: string, values: string | readonly string[], context: Context): boolean {
  const source = { operator, key: "k", values: typeof values === "string" ? [values] : values };
  return compileCondition(source, { variables: true })(context);
}
