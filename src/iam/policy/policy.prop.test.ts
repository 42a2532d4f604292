// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written like that.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Context } from "./context.ts";
import {
  CLUSTER,
  FOREIGN,
  OWN,
  ROLE_ARN,
  root,
  service,
  session,
  USER_ARN,
  user,
} from "./evaluate.fixture.ts";
import {
  type AttachedPolicy,
  type AuthorizationRequest,
  evaluate,
  type Policies,
} from "./evaluate.ts";
import type { PolicyKind } from "./faults/find-fault.ts";
import { parsePolicy } from "./parse-policy.ts";
import { narrowPolicy, readAction } from "./policy.ts";

/** Small worlds, so that statements, requests and conditions meet. */
const KEYS = ["aws:username", "aws:PrincipalTag/team", "aws:TagKeys", "constructor"];
const TEXTS = [
  "ada",
  "a*",
  "10",
  "true",
  "10.0.0.1",
  "2024-06-01T00:00:00Z",
  ROLE_ARN,
  "${aws:username}",
  "",
];
const OPERATORS = [
  ...["StringEquals", "StringNotEquals", "StringLike", "StringNotLikeIfExists"],
  ...["NumericLessThan", "Bool", "BinaryEquals", "Null"],
  ...["IpAddress", "NotIpAddress", "ArnLike", "ArnNotEqualsIfExists"],
  ...["ForAllValues:StringLike", "ForAnyValue:StringNotEquals"],
];

const RESOURCES = [
  ...["*", CLUSTER, "arn:aws:ecs:*:*:cluster/*", "arn:aws:s3:::b"],
  "arn:aws:ecs:*:*:cluster/${aws:username, 'prod'}",
];

const oneOrMore = (values: readonly string[]) =>
  fc.oneof(fc.constantFrom(...values), fc.subarray([...values], { minLength: 1 }));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const orNot = (name: string, values: fc.Arbitrary<unknown>) =>
  fc
    .tuple(fc.boolean(), values)
    .map(([isNot, value]) => ({ [isNot ? `Not${name}` : name]: value }));

const condition = fc.dictionary(
  fc.constantFrom(...OPERATORS),
  fc.dictionary(fc.constantFrom(...KEYS), oneOrMore(TEXTS), { maxKeys: 2 }),
  { maxKeys: 2 },
);
const statement = fc
  .tuple(
    fc.record({ Effect: fc.constantFrom("Allow", "Deny"), Condition: maybe(condition) }),
    orNot("Action", oneOrMore(["*", "ecs:*", "ecs:Run*", "ecs:StopTask", "s3:*"])),
    orNot("Resource", oneOrMore(RESOURCES)),
  )
  .map((parts) => Object.assign({}, ...parts) as Readonly<Record<string, unknown>>);
/** Rights are rare when every element is drawn: half of the statements allow everything. */
const generous = fc.oneof(statement, fc.constant({ Effect: "Allow", Action: "*", Resource: "*" }));
const granting = fc
  .tuple(statement, fc.constantFrom("*", { AWS: "*" }, { AWS: OWN }, { AWS: [USER_ARN, ROLE_ARN] }))
  .map(([elements, Principal]) => ({ ...elements, Principal }));

const policiesOf = (elements: fc.Arbitrary<unknown>, kind: PolicyKind) =>
  fc.array(elements, { maxLength: 3 }).map((statements) => attach(statements, kind));
const policies: fc.Arbitrary<Policies> = fc.record({
  identity: policiesOf(generous, "managed"),
  boundary: maybe(policiesOf(generous, "managed")),
  session: maybe(policiesOf(generous, "inline")),
  resource: maybe(
    fc.record({
      kind: fc.constantFrom("resource" as const, "key" as const),
      policies: policiesOf(granting, "resource"),
    }),
  ),
});
const context: fc.Arbitrary<Context> = fc.dictionary(
  fc.constantFrom(...KEYS.map((key) => key.toLowerCase())),
  fc.oneof(fc.constantFrom(...TEXTS), fc.subarray(TEXTS)),
);
const request: fc.Arbitrary<AuthorizationRequest> = fc.record({
  caller: fc.constantFrom(root, user, session, service),
  action: fc.constantFrom("ecs:RunTask", "ecs:StopTask", "s3:GetObject", "nonsense"),
  resource: fc.constantFrom(CLUSTER, FOREIGN, "*", "arn:aws:s3:::b", ""),
  context,
});

/** Where a statement can be added. */
const PLACES = ["identity", "boundary", "session", "resource"] as const;
const place = fc.constantFrom(...PLACES);

test("an evaluation never throws, and says what decided", () => {
  fc.assert(
    fc.property(request, policies, (call, all) => {
      const decision = evaluate(call, all);
      const hasDeny = decision.matches.some(({ statement: { effect } }) => effect === "Deny");
      assert.equal(decision.outcome === "explicitDeny", hasDeny);
    }),
    { numRuns: 1_000 },
  );
});

test("an explicit deny always wins, wherever it stands", () => {
  const everything = { Effect: "Deny", Action: "*", Resource: "*" };
  fc.assert(
    fc.property(request, policies, place, (call, all, where) => {
      assert.equal(evaluate(call, adding(all, where, everything)).outcome, "explicitDeny");
    }),
  );
});

test("adding an allow never removes a right", () => {
  const allowing = statement.map((elements) => ({ ...elements, Effect: "Allow" }));
  let rights = 0;
  fc.assert(
    fc.property(request, policies, place, allowing, (call, all, where, added) => {
      // Where there was no boundary or session policy, the first statement is a limit and no right.
      if (all[where] === undefined || evaluate(call, all).outcome !== "allowed") return;
      rights += 1;
      assert.equal(evaluate(call, adding(all, where, added)).outcome, "allowed");
    }),
    { numRuns: 1_000 },
  );
  assert.ok(rights > 50, `only ${rights} rights were put to the test`);
});

test("adding a deny never gives a right", () => {
  const denying = statement.map((elements) => ({ ...elements, Effect: "Deny" }));
  fc.assert(
    fc.property(request, policies, place, denying, (call, all, where, added) => {
      if (all[where] === undefined || evaluate(call, all).outcome === "allowed") return;
      assert.notEqual(evaluate(call, adding(all, where, added)).outcome, "allowed");
    }),
    { numRuns: 1_000 },
  );
});

test("a boundary and a session policy never give a right", () => {
  fc.assert(
    fc.property(request, policies, (call, all) => {
      if (evaluate(call, all).outcome !== "allowed") return;
      const unlimited = { ...all, boundary: undefined, session: undefined };
      assert.equal(evaluate(call, unlimited).outcome, "allowed");
    }),
    { numRuns: 1_000 },
  );
});

test("a policy narrowed to a question decides it as the whole policy does", () => {
  fc.assert(
    fc.property(request, policies, (call, all) => {
      const narrow = (list: readonly AttachedPolicy[]): readonly AttachedPolicy[] =>
        list
          .map(({ id, policy }) => ({
            id,
            policy: narrowPolicy(policy, readAction(call.action), call.resource),
          }))
          .filter(({ policy }) => policy.statements.length > 0);
      const { identity, boundary } = all;
      const narrowed = {
        ...all,
        identity: narrow(identity),
        boundary: boundary && narrow(boundary),
      };
      const { matches: _, ...decision } = evaluate(call, narrowed);
      const { matches: __, ...expected } = evaluate(call, all);
      assert.equal(decision.outcome, expected.outcome);
      if (decision.outcome === "implicitDeny") assert.deepEqual(decision, expected);
    }),
    { numRuns: 2_000 },
  );
});

test("how a document is written down does not change what it says", () => {
  const styles = fc.record({
    indent: fc.constantFrom(undefined, 1, 4, "\t"),
    asLists: fc.boolean(),
  });
  fc.assert(
    fc.property(
      request,
      fc.array(statement, { minLength: 1, maxLength: 4 }),
      styles,
      (call, statements, style) => {
        const plain = { Version: "2012-10-17", Statement: statements };
        const styled = style.asLists ? { ...plain, Statement: statements.map(listed) } : plain;
        const outcomes = [
          JSON.stringify(plain),
          JSON.stringify(styled, undefined, style.indent),
        ].map((text) => evaluate(call, { identity: [parsed(text, "managed")] }).outcome);
        assert.equal(outcomes[0], outcomes[1]);
      },
    ),
  );
});

test("any text is answered", () => {
  const kind = fc.constantFrom<PolicyKind>("managed", "inline", "trust", "resource");
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.jsonValue().map((Statement) => JSON.stringify({ Version: "2012-10-17", Statement })),
    fc
      .dictionary(
        fc.constantFrom("Effect", "Action", "Resource", "Principal", "Condition"),
        fc.jsonValue(),
      )
      .map((Statement) =>
        JSON.stringify({ Statement: { Effect: "Allow", Action: "*", ...Statement } }),
      ),
  );
  fc.assert(
    fc.property(text, kind, (document, as) => {
      const result = parsePolicy(document, as);
      assert.ok(result.ok || result.reason.length > 0);
    }),
    { numRuns: 1_000 },
  );
});

function attach(statements: readonly unknown[], kind: PolicyKind): readonly AttachedPolicy[] {
  return statements.flatMap((each) => {
    const result = parsePolicy(JSON.stringify({ Version: "2012-10-17", Statement: each }), kind);
    // What AWS would refuse (an Allow with NotPrincipal) is no case.
    return result.ok ? [{ id: "x", policy: result.policy }] : [];
  });
}

function parsed(text: string, kind: PolicyKind): AttachedPolicy {
  const result = parsePolicy(text, kind);
  assert.ok(result.ok, text);
  return { id: "x", policy: result.policy };
}

function adding(all: Policies, where: (typeof PLACES)[number], added: object): Policies {
  if (where === "resource") {
    const { kind = "resource", policies: present = [] } = all.resource ?? {};
    const more = attach([{ ...added, Principal: "*" }], "resource");
    assert.equal(more.length, 1);
    return { ...all, resource: { kind, policies: [...present, ...more] } };
  }
  const more = attach([added], "managed");
  assert.equal(more.length, 1);
  return { ...all, [where]: [...(all[where] ?? []), ...more] };
}

/** The same statement with every lone value in a list. */
function listed(elements: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(elements).map(([name, value]) => [
      name,
      /Action|Resource/.test(name) && !Array.isArray(value) ? [value] : value,
    ]),
  );
}
