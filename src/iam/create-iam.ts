import type { Authorize } from "../door/authorize.ts";
import type { LateService } from "../door/service.ts";
import type { IamDeps } from "./deps.ts";
import { LastUses } from "./last-uses.ts";
import type { EnsureServiceLinkedRole } from "./model/service-linked-roles.ts";
import { createPoliciesOf, type PoliciesOf } from "./policies-of.ts";
import { createUsageOf } from "./role-usage.ts";

/** IAM as a server has it. */
export interface Iam {
  readonly service: LateService;
  /** For the services that have such roles. */
  readonly ensureServiceLinkedRole: EnsureServiceLinkedRole;
  /** `authorize`, and each request noted as the last use of its key or role. */
  noting(authorize: Authorize): Authorize;
  /** Writes last uses now and then until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** `policiesOf`: shared with whoever decides calls, so that what it has compiled is compiled once. */
export function createIam(
  deps: IamDeps,
  policiesOf: PoliciesOf = createPoliciesOf(deps.cache),
): Iam {
  const lastUses = new LastUses(deps);
  const usageOf = createUsageOf(deps.cache);
  return {
    service: {
      name: "iam",
      load: async () => {
        const { iamService } = await import("./service.ts");
        return iamService({ ...deps, policiesOf, lastUses, usageOf });
      },
    },
    ensureServiceLinkedRole: async (accountId, serviceName) => {
      const { ensureServiceLinkedRole } = await import("./operations/service-linked-roles.ts");
      return ensureServiceLinkedRole(deps, accountId, serviceName);
    },
    noting: (authorize) => (request) => {
      lastUses.note(request);
      return authorize(request);
    },
    run: (signal) => lastUses.run(signal),
  };
}
