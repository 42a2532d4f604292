import type { Cache } from "../../store/cache.ts";
import { TRUST_POLICY_SIZE_MAX } from "../limits.ts";
import { parseIamArn, parseSessionArn, roleArn, userArn } from "../model/arns.ts";
import { roleKey, userKey } from "../model/keys.ts";
import type { Role, User } from "../model/records.ts";
import { policySizeOf } from "../policy/parse-policy.ts";
import { checkDocument } from "./documents.ts";
import { malformedPolicy, quotaExceeded } from "./errors.ts";

/**
 * Trust policies name users and roles by ARN when they are put and shown, and by unique id while they are kept, as AWS
 * does it: whoever is made later under the name of someone deleted is not trusted.
 */

/** Checks a trust policy and gives it its stored form. Throws MalformedPolicyDocument, LimitExceeded. */
export function checkTrustPolicy(cache: Cache, document: string | undefined): string {
  const text = checkDocument(document, "trust", "assumeRolePolicyDocument");
  if (policySizeOf(text) > TRUST_POLICY_SIZE_MAX) {
    throw quotaExceeded("ACLSizePerRole", TRUST_POLICY_SIZE_MAX);
  }
  return mapPrincipals(text, (type, value) => {
    if (type === "AWS") return toUniqueId(cache, value);
    // Which services AWS has is AWS's to say: the form is all that can be checked.
    if (type === "Service" && !/\.amazonaws\.com(\.cn)?$/.test(value)) throw unknown(type, value);
    return value;
  });
}

/** The form in which it is shown. An id whose user or role is gone stays. */
export function showTrustPolicy(cache: Cache, stored: string): string {
  return mapPrincipals(stored, (type, value) =>
    type === "AWS" ? (toArn(cache, value) ?? value) : value,
  );
}

function toUniqueId(cache: Cache, value: string): string {
  const session = parseSessionArn(value);
  if (session !== undefined) {
    if (cache.get(roleKey(session.accountId, session.roleName)) === undefined) {
      throw unknown("AWS", value);
    }
    return value;
  }
  const parsed = parseIamArn(value);
  if (parsed === undefined) return value;
  const { accountId, type, name } = parsed;
  const key = type === "user" ? userKey(accountId, name) : roleKey(accountId, name);
  const found = cache.get(key)?.value as User | Role | undefined;
  if (found === undefined || arnOf(found) !== value) throw unknown("AWS", value);
  return "userId" in found ? found.userId : found.roleId;
}

function toArn(cache: Cache, id: string): string | undefined {
  const [record] = id.startsWith("AIDA")
    ? cache.lookup("iamUsersById", id)
    : id.startsWith("AROA")
      ? cache.lookup("iamRolesById", id)
      : [];
  return record && arnOf(record.value as User | Role);
}

function arnOf(found: User | Role): string {
  return "userId" in found ? userArn(found) : roleArn(found);
}

function unknown(type: string, value: string): Error {
  return malformedPolicy(`Invalid principal in policy: "${type.toUpperCase()}":"${value}"`);
}

interface Document {
  readonly Statement: Statement | readonly Statement[];
}
interface Statement {
  readonly Principal?: string | Readonly<Record<string, string | readonly string[]>>;
}

/** The document with other principals, without white space. `text` is known to be a trust policy. */
function mapPrincipals(text: string, map: (type: string, value: string) => string): string {
  const mapStatement = (statement: Statement): Statement => {
    const { Principal } = statement;
    if (Principal === undefined || typeof Principal === "string") return statement;
    const mapped = Object.entries(Principal).map(([type, values]) => [
      type,
      typeof values === "string" ? map(type, values) : values.map((value) => map(type, value)),
    ]);
    return { ...statement, Principal: Object.fromEntries(mapped) };
  };
  const document = JSON.parse(text) as Document;
  const { Statement: statements } = document;
  const mapped = Array.isArray(statements)
    ? statements.map(mapStatement)
    : mapStatement(statements as Statement);
  return JSON.stringify({ ...document, Statement: mapped });
}
