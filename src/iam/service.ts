import type { Service } from "../door/service.ts";
import {
  groupPolicyOperations,
  rolePolicyOperations,
  userPolicyOperations,
} from "./operations/tables/holder-policies.ts";
import { oidcProviderOperations } from "./operations/tables/oidc-providers.ts";
import {
  accountOperations,
  policyOperations,
  simulationOperations,
} from "./operations/tables/policies.ts";
import { instanceProfileOperations, roleOperations } from "./operations/tables/roles.ts";
import { type IamOperations, type IamServiceDeps, Rows } from "./operations/tables/row.ts";
import { tagOperations } from "./operations/tables/tags.ts";
import { groupOperations, userOperations } from "./operations/tables/users.ts";

/** IAM as the door serves it. */
export function iamService(deps: IamServiceDeps): Service {
  const rows = new Rows(deps);
  const operations: IamOperations = {
    ...userOperations(rows),
    ...groupOperations(rows),
    ...roleOperations(rows),
    ...instanceProfileOperations(rows),
    ...userPolicyOperations(rows),
    ...groupPolicyOperations(rows),
    ...rolePolicyOperations(rows),
    ...policyOperations(rows),
    ...simulationOperations(rows),
    ...accountOperations(rows),
    ...oidcProviderOperations(rows),
    ...tagOperations(rows),
  };
  return { name: "iam", operations };
}
