import type { AssumedRoleUser, Credentials } from "@aws-sdk/client-sts";
import type { SessionFacts } from "../door/service.ts";
import { roleArn } from "../iam/model/arns.ts";
import type { Role } from "../iam/model/records.ts";
import type { StsDeps } from "./deps.ts";
import { assumedRoleArn, type Session } from "./model.ts";
import { checkDuration, validationError } from "./validate.ts";

/** STS: what a session lasts if nobody says. */
const SECONDS_INITIAL = 3600;
/** STS: the longest session of any role. */
const SECONDS_MAX = 12 * 3600;
/** STS: the longest session that a role's session makes. */
const CHAINED_SECONDS_MAX = 3600;

/** How long a session of a role is to last. `isChained`: it is a role's session that asks. */
export function roleDuration(seconds: number | undefined, role: Role, isChained: boolean): number {
  const given = checkDuration(seconds, { initial: SECONDS_INITIAL, max: SECONDS_MAX });
  if (isChained && given > CHAINED_SECONDS_MAX) {
    throw validationError(
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    );
  }
  if (given > role.maxSessionDurationSeconds) {
    throw validationError(
      "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    );
  }
  return given;
}

export interface RoleSessionRequest {
  readonly role: Role;
  readonly sessionName: string;
  readonly durationSeconds: number;
  readonly facts: Omit<SessionFacts, "issuedAt" | "roleArn">;
}

/** Makes a session of a role, as the API answers with it. */
export async function openRoleSession(
  { clock, sessions }: StsDeps,
  { role, sessionName, durationSeconds, facts }: RoleSessionRequest,
): Promise<{ readonly Credentials: Credentials; readonly AssumedRoleUser: AssumedRoleUser }> {
  const { accountId, roleId } = role;
  const ofRole = roleArn(role);
  const arn = assumedRoleArn(accountId, ofRole, sessionName);
  const userId = `${roleId}:${sessionName}`;
  const session = await sessions.mintSession({
    principal: {
      accountId,
      arn,
      kind: "role-session",
      userId,
      session: { ...facts, issuedAt: clock.now(), roleArn: ofRole },
    },
    durationSeconds,
  });
  return {
    Credentials: presentCredentials(session),
    AssumedRoleUser: { AssumedRoleId: userId, Arn: arn },
  };
}

export function presentCredentials(session: Session): Credentials {
  return {
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    SessionToken: session.sessionToken,
    // Whole seconds, as AWS tells it.
    Expiration: new Date(Math.floor(session.expiresAt / 1000) * 1000),
  };
}
