import { createAccountAlias, deleteAccountAlias, listAccountAliases } from "../account-alias.ts";
import { getAccountAuthorizationDetails } from "../account-details.ts";
import { getAccountSummary } from "../account-summary.ts";
import { newArn } from "../arns.ts";
import { createPolicy, deletePolicy, getPolicy, listPolicies } from "../policies.ts";
import { listEntitiesForPolicy } from "../policy-entities.ts";
import {
  createPolicyVersion,
  deletePolicyVersion,
  getPolicyVersion,
  listPolicyVersions,
  setDefaultPolicyVersion,
} from "../policy-versions.ts";
import {
  getContextKeysForCustomPolicy,
  getContextKeysForPrincipalPolicy,
  simulateCustomPolicy,
  simulatePrincipalPolicy,
} from "../simulations.ts";
import { everything, type IamOperations, type Rows } from "./row.ts";

const policy = ({ PolicyArn }: { PolicyArn?: string | undefined }): string => PolicyArn ?? "";

/** Managed policies. */
export function policyOperations(rows: Rows): IamOperations {
  return {
    CreatePolicy: rows.full(
      "CreatePolicy",
      ({ Path, PolicyName }, call) => newArn("policy", Path, PolicyName, call),
      createPolicy,
      { tagAction: "iam:TagPolicy" },
    ),
    GetPolicy: rows.full("GetPolicy", policy, getPolicy),
    ListPolicies: rows.full("ListPolicies", everything, listPolicies),
    DeletePolicy: rows.full("DeletePolicy", policy, deletePolicy),
    CreatePolicyVersion: rows.full("CreatePolicyVersion", policy, createPolicyVersion),
    GetPolicyVersion: rows.full("GetPolicyVersion", policy, getPolicyVersion),
    ListPolicyVersions: rows.full("ListPolicyVersions", policy, listPolicyVersions),
    SetDefaultPolicyVersion: rows.full("SetDefaultPolicyVersion", policy, setDefaultPolicyVersion),
    DeletePolicyVersion: rows.full("DeletePolicyVersion", policy, deletePolicyVersion),
    ListEntitiesForPolicy: rows.full("ListEntitiesForPolicy", policy, listEntitiesForPolicy),
  };
}

/** What policies would allow. */
export function simulationOperations(rows: Rows): IamOperations {
  const source = ({ PolicySourceArn }: { PolicySourceArn?: string | undefined }): string =>
    PolicySourceArn ?? "";
  return {
    SimulateCustomPolicy: rows.partial(
      "SimulateCustomPolicy",
      "policies of organizations are refused; ResourceHandlingOption changes nothing",
      everything,
      simulateCustomPolicy,
    ),
    SimulatePrincipalPolicy: rows.partial(
      "SimulatePrincipalPolicy",
      "PolicyExclusionList is refused; ResourceHandlingOption changes nothing",
      source,
      simulatePrincipalPolicy,
    ),
    GetContextKeysForCustomPolicy: rows.full(
      "GetContextKeysForCustomPolicy",
      everything,
      getContextKeysForCustomPolicy,
    ),
    GetContextKeysForPrincipalPolicy: rows.full(
      "GetContextKeysForPrincipalPolicy",
      source,
      getContextKeysForPrincipalPolicy,
    ),
  };
}

/** The account as a whole. */
export function accountOperations(rows: Rows): IamOperations {
  return {
    CreateAccountAlias: rows.full("CreateAccountAlias", everything, createAccountAlias),
    DeleteAccountAlias: rows.full("DeleteAccountAlias", everything, deleteAccountAlias),
    ListAccountAliases: rows.full("ListAccountAliases", everything, listAccountAliases),
    GetAccountSummary: rows.full("GetAccountSummary", everything, getAccountSummary),
    GetAccountAuthorizationDetails: rows.full(
      "GetAccountAuthorizationDetails",
      everything,
      getAccountAuthorizationDetails,
    ),
  };
}
