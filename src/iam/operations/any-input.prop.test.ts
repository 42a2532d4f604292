import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ACCOUNT_ID, testGateway } from "../../../test/door-kit.ts";
import { sdkSender } from "../../../test/sdk-client.ts";
import { valuesOf } from "../../../test/shape-values.ts";
import { loadShapes } from "../../door/service-table.ts";
import { createAuthorize } from "../authorize.ts";
import { CompiledPolicies } from "../compiled-policies.ts";
import { callOf } from "../iam.fixture.ts";
import { createPoliciesOf } from "../policies-of.ts";
import { allowing, startApi, trusting } from "./api.fixture.ts";

/** What might be there, might be a name, or might be mistaken for something of JavaScript's. */
const NAMES = [
  "ada",
  "Ada",
  "dev",
  "dev",
  "ada",
  "__proto__",
  "constructor",
  "toString",
  "a".repeat(200),
  "é b",
];
const ARNS = [
  `arn:aws:iam::${ACCOUNT_ID}:user/ada`,
  `arn:aws:iam::${ACCOUNT_ID}:role/dev`,
  `arn:aws:iam::${ACCOUNT_ID}:policy/dev`,
  `arn:aws:iam::${ACCOUNT_ID}:constructor/dev`,
  "arn:aws:iam::aws:policy/ReadOnlyAccess",
  "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy",
  "arn:aws:iam::222222222222:policy/dev",
  "arn:aws:iam:::",
  "*",
];
const DOCUMENTS = [
  allowing("ecs:*"),
  trusting(),
  trusting({ AWS: `arn:aws:iam::${ACCOUNT_ID}:user/ada` }),
  '{"Statement":[{"__proto__":1}]}',
  "[]",
  "null",
];
const PATHS = ["/", "/x/", "x", "//", "/aws-service-role/ecs.amazonaws.com/"];

/** Gives the texts of an input values that mean something where they stand. `drawn`: what decides which. */
function plausible(
  input: Record<string, unknown>,
  drawn: readonly number[],
): Record<string, unknown> {
  let at = 0;
  const next = (bound: number): number => (drawn[at++ % drawn.length] ?? 0) % bound;
  const replace = (name: string, value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((each) => replace(name, each));
    if (typeof value !== "string" || next(8) === 0) return value;
    const pool = POOLS.find(([pattern]) => pattern.test(name))?.[1] ?? [value];
    return pool[next(pool.length)];
  };
  return Object.fromEntries(
    Object.entries(input)
      .filter(([name]) => !/^(Marker|MaxItems|Tags|Description)$/.test(name) || next(4) === 0)
      .map(([name, value]) => [name, replace(name, value)]),
  );
}

const POOLS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/Document|PolicyInputList|ResourcePolicy/, DOCUMENTS],
  [/Arn|PermissionsBoundary$/, ARNS],
  [/Path/, PATHS],
  [/ActionNames/, ["ecs:RunTask", "ecs:*", "x"]],
  [/VersionId/, ["v1", "v2", "v0"]],
  [/Name/, NAMES],
];

test("whatever an operation is given, it answers by its shape or with an error of AWS's", async (t) => {
  const { deps, iam, run } = await startApi(t);
  const call = callOf(ACCOUNT_ID);
  for (const name of ["ada", "dev", "__proto__"]) {
    await run("CreateUser", { UserName: name }, call);
    await run("CreateGroup", { GroupName: name }, call);
    await run("CreateRole", { RoleName: name, AssumeRolePolicyDocument: trusting() }, call);
    await run("CreatePolicy", { PolicyName: name, PolicyDocument: allowing("ecs:*") }, call);
    await run("CreateInstanceProfile", { InstanceProfileName: name }, call);
  }
  const compiled = new CompiledPolicies();
  const authorize = createAuthorize({
    ...deps,
    compiled,
    policiesOf: createPoliciesOf(deps.cache, compiled),
    resourcePolicyOf: () => undefined,
    mayNode: () => false,
  });
  const gateway = testGateway({ services: [iam.service], authorize });
  const send = await sdkSender(gateway, "iam");
  const shapes = loadShapes("iam");
  const choices = fc.array(fc.nat(), { minLength: 30, maxLength: 30 });
  const outcomes = new Map<string, number>();
  for (const name of Object.keys((await iam.service.load()).operations)) {
    const shape = shapes.operation(name) ?? assert.fail(name);
    await fc.assert(
      fc.asyncProperty(
        valuesOf(shape.input, { within: "query" }),
        choices,
        async (input, drawn) => {
          const given = plausible(input, drawn);
          const code = await send(name, given).then(
            () => "success",
            (error: Error) => error.name,
          );
          outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
          const isOurFault = /ServiceFailure|InternalFailure|Unavailable|TypeError|^Error$/.test(
            code,
          );
          assert.ok(!isOurFault, `${name} ${JSON.stringify(given)}: ${code}`);
        },
      ),
      { numRuns: 15 },
    );
  }
  assert.ok((outcomes.get("success") ?? 0) > 100, JSON.stringify([...outcomes]));
});
