import type {
  EvaluationResult,
  GetContextKeysForCustomPolicyRequest,
  GetContextKeysForPolicyResponse,
  GetContextKeysForPrincipalPolicyRequest,
  SimulateCustomPolicyRequest,
  SimulatePolicyResponse,
  SimulatePrincipalPolicyRequest,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import { parseIamArn } from "../model/arns.ts";
import type { PoliciesOf, PrincipalPolicies } from "../policies-of.ts";
import type { Context } from "../policy/context.ts";
import { callKeys } from "../policy/global-keys.ts";
import type { Caller } from "../policy/principals.ts";
import { invalidInput, noSuchEntity } from "./errors.ts";
import { type PageInput, pageOf } from "./pages.ts";
import { contextKeysOf, type Simulation, simulate } from "./simulate.ts";
import {
  accountIdOf,
  readActions,
  readCaller,
  readContext,
  readOwner,
  readPolicies,
  readResourcePolicy,
  readResources,
  refuseUnknownInputs,
} from "./simulation-input.ts";
import { checkArn } from "./validate.ts";

/** Simulations of policies: they decide by the same engine as requests, and say which statements decided. */

type Deps = IamDeps & { readonly policiesOf: PoliciesOf };

/** Of policies that are given. Throws InvalidInput. */
export async function simulateCustomPolicy(
  _deps: Deps,
  input: SimulateCustomPolicyRequest,
  call: Call,
): Promise<SimulatePolicyResponse> {
  refuseUnknownInputs(input);
  const caller = readCaller(input.CallerArn, call);
  const identity = readPolicies(input.PolicyInputList, "PolicyInputList");
  const bounds = input.PermissionsBoundaryPolicyInputList;
  const simulation: Simulation = {
    // A root needs no policy to be allowed, so what is simulated is anyone of its account.
    caller: caller.kind === "root" ? someoneOf(caller.accountId) : caller,
    policies: {
      identity,
      boundary: bounds?.length
        ? readPolicies(bounds, "PermissionsBoundaryPolicyInputList")
        : undefined,
      resource: readResourcePolicy(input.ResourcePolicy),
    },
    resourceAccountId: readOwner(input.ResourceOwner) ?? accountIdOf(caller),
    context: readContext(input.ContextEntries),
    hasResources: hasResources(input),
  };
  return run(simulation, input);
}

/** Of the policies of a user, group or role, and of others in addition. Throws NoSuchEntity, InvalidInput. */
export async function simulatePrincipalPolicy(
  deps: Deps,
  input: SimulatePrincipalPolicyRequest,
  call: Call,
): Promise<SimulatePolicyResponse> {
  refuseUnknownInputs(input);
  const source = findSource(deps, input.PolicySourceArn, call);
  const sourceType = parseIamArn(source.arn)?.type;
  const isGroup = sourceType === "group";
  if (
    input.ResourcePolicy !== undefined &&
    input.CallerArn === undefined &&
    sourceType !== "user"
  ) {
    throw invalidInput(
      "CallerArn is required with a ResourcePolicy unless the PolicySourceArn is a user.",
    );
  }
  const caller =
    input.CallerArn === undefined && isGroup
      ? someoneOf(call.principal.accountId)
      : readCaller(input.CallerArn ?? source.arn, call);
  const bounds = input.PermissionsBoundaryPolicyInputList;
  const simulation: Simulation = {
    caller,
    policies: {
      identity: [...source.identity, ...readPolicies(input.PolicyInputList, "PolicyInputList")],
      boundary: bounds?.length
        ? readPolicies(bounds, "PermissionsBoundaryPolicyInputList")
        : source.boundary,
      resource: readResourcePolicy(input.ResourcePolicy),
    },
    resourceAccountId: readOwner(input.ResourceOwner) ?? accountIdOf(caller),
    context: {
      ...(!isGroup && principalContext(deps, source, caller)),
      ...readContext(input.ContextEntries),
    },
    hasResources: hasResources(input),
  };
  return run(simulation, input);
}

/** The condition keys and variables that policies name. Throws InvalidInput. */
export async function getContextKeysForCustomPolicy(
  _deps: Deps,
  input: GetContextKeysForCustomPolicyRequest,
): Promise<GetContextKeysForPolicyResponse> {
  const identity = readPolicies(input.PolicyInputList, "PolicyInputList");
  return { ContextKeyNames: [...contextKeysOf({ identity })] };
}

/** Those of a user (its groups' too), group or role, and of policies in addition. Throws NoSuchEntity, InvalidInput. */
export async function getContextKeysForPrincipalPolicy(
  deps: Deps,
  input: GetContextKeysForPrincipalPolicyRequest,
  call: Call,
): Promise<GetContextKeysForPolicyResponse> {
  const source = findSource(deps, input.PolicySourceArn, call);
  const given = readPolicies(input.PolicyInputList, "PolicyInputList");
  const identity = [...source.identity, ...given];
  return { ContextKeyNames: [...contextKeysOf({ identity })] };
}

function run(
  simulation: Simulation,
  input: PageInput & {
    readonly ActionNames: string[] | undefined;
    readonly ResourceArns?: string[] | undefined;
  },
): SimulatePolicyResponse {
  const resources = readResources(input.ResourceArns);
  const pairs = readActions(input.ActionNames).flatMap((action) =>
    resources.map((resource) => ({ action, resource })),
  );
  const numbered = pairs.map((pair, index) => ({ ...pair, key: String(index).padStart(9, "0") }));
  const { items, position } = pageOf(numbered, input, ({ key }) => key);
  const results: EvaluationResult[] = items.map(({ action, resource }) =>
    simulate(simulation, action, resource),
  );
  return { EvaluationResults: results, ...position };
}

function hasResources({ ResourceArns }: { readonly ResourceArns?: string[] | undefined }): boolean {
  return (ResourceArns ?? []).length > 0;
}

function findSource(deps: Deps, arn: string | undefined, call: Call): PrincipalPolicies {
  const checked = checkArn(arn, "policySourceArn");
  const parsed = parseIamArn(checked);
  if (parsed === undefined || !["user", "group", "role"].includes(parsed.type)) {
    throw invalidInput(
      `Invalid Entity Arn: ${checked.slice(0, 200)} does not clearly define entity type and name.`,
    );
  }
  const source =
    parsed.accountId === call.principal.accountId ? deps.policiesOf({ arn: checked }) : undefined;
  if (source !== undefined) return source;
  throw noSuchEntity(`The ${parsed.type} with name ${parsed.name} cannot be found.`);
}

/** What is known of the principal itself; everything else of a request must be given. */
function principalContext(deps: Deps, source: PrincipalPolicies, caller: Caller): Context {
  const parsed = parseIamArn(source.arn);
  const keys = callKeys({
    caller,
    userName: parsed?.name,
    userId: source.id,
    principalTags: source.tags,
    now: deps.clock.now(),
    region: "",
    isSecure: true,
  });
  return Object.fromEntries(
    Object.entries(keys).filter(([key]) => /^aws:(principal|username$|userid$)/.test(key)),
  );
}

/** A user who is nobody in particular. */
function someoneOf(accountId: string): Caller {
  return { kind: "user", accountId, arn: `arn:aws:iam::${accountId}:user/` };
}
