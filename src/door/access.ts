/** Whether the caller of an operation may do all that it needs. */
import type { AccessDecision, Authorize, CallOrigin, EncodeDenial } from "./authorize.ts";
import {
  accessDenied,
  type DoorError,
  missingAuthentication,
  unauthorizedOperation,
} from "./errors.ts";
import type { Call, ConditionKeys, Operation, Permission } from "./service.ts";

export interface AccessDeps {
  readonly authorize: Authorize;
  readonly encodeDenial: EncodeDenial;
}

export type Denial = Extract<AccessDecision, { readonly allowed: false }>;

const NO_CONDITIONS: ConditionKeys = {};

/**
 * The first refusal of what an operation needs; undefined when all is allowed. Throws MissingAuthenticationToken for
 * callers that have not signed, unless the operation takes those.
 */
export function findDenial(
  authorize: Authorize,
  operation: Operation,
  input: never,
  call: Call & CallOrigin,
): Denial | undefined {
  const { principal } = call;
  if (principal.kind === "anonymous" && operation.access !== "anonymous") {
    throw missingAuthentication();
  }
  if (operation.access !== undefined) return undefined;
  const decision = authorize({
    principal,
    action: operation.action,
    resources: operation.resources(input, call),
    origin: call,
    conditionsOf: (resource) => operation.conditions?.(input, call, resource) ?? NO_CONDITIONS,
  });
  if (!decision.allowed) return decision;
  // Root may do the rest as well, and most calls are not worth the lists.
  if (principal.kind === "root") return undefined;
  return findFurtherDenial(authorize, operation, input, call);
}

function findFurtherDenial(
  authorize: Authorize,
  operation: Operation,
  input: never,
  call: Call & CallOrigin,
): Denial | undefined {
  const passed = operation.passedRoles?.(input, call) ?? [];
  const needed: Permission[] = passed.map(({ roleArn, service }) => ({
    action: "iam:PassRole",
    resources: [roleArn],
    conditions: { "iam:PassedToService": service },
  }));
  needed.push(...(operation.dependents?.(input, call) ?? []));
  for (const { action, resources, conditions = NO_CONDITIONS } of needed) {
    const { principal } = call;
    const request = { principal, action, resources, origin: call, conditionsOf: () => conditions };
    const decision = authorize(request);
    if (!decision.allowed) return decision;
  }
  return undefined;
}

/** The refusal as the error of its service. */
export async function denialError(
  { encodeDenial }: AccessDeps,
  serviceName: string | undefined,
  { message, details }: Denial,
): Promise<DoorError> {
  if (serviceName !== "ec2") return accessDenied(message);
  return unauthorizedOperation(message, await encodeDenial(details()));
}
