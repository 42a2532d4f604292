import type { ServiceTrust } from "../../iam/model/trust.ts";
import type { Clock } from "../../lib/clock.ts";
import type { IamRoleCredentialsMessage, RoleCredentials } from "../../protocol/acs.ts";
import { assumedRoleArn, type Session, type SessionRequest } from "../../sts/model.ts";
import { clusterArn, taskArn } from "../model/arn.ts";
import { taskKey } from "../model/keys.ts";
import { TASKS_SERVICE } from "../model/names.ts";
import type { Task } from "../model/task.ts";

export type RoleType = IamRoleCredentialsMessage["roleType"];

/** What the orchestrator needs of `sts`. */
export interface SessionMinter {
  mintSession(request: SessionRequest): Promise<Session>;
  /** An unguessable id that is always the same for the same subject. */
  stableId(subject: string): Promise<string>;
}

export interface TaskCredentialsDeps {
  readonly minter: SessionMinter;
  readonly serviceTrust: ServiceTrust;
  readonly clock: Clock;
}

export interface MintedCredentials {
  readonly credentials: RoleCredentials;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** ECS: the credentials of a task last six hours. */
const DURATION_SECONDS = 6 * 3600;

/** Chosen: twice as long as our agent goes on shipping the output of a container that has ended. */
export const SHIPPING_MS_MAX: number = 10 * 60_000;

/** How long credentials outlive their task: the application is gone, its last output is shipped under the execution role. */
const GRACE_MS: Readonly<Record<RoleType, number>> = {
  TaskApplication: 0,
  TaskExecution: SHIPPING_MS_MAX,
};

/** The roles a task has: its own, and the one its agent uses on its behalf. */
export function rolesOf(task: Task): readonly { roleType: RoleType; roleArn: string }[] {
  const { taskRoleArn, executionRoleArn } = task;
  return [
    ...(taskRoleArn === undefined
      ? []
      : [{ roleType: "TaskApplication" as const, roleArn: taskRoleArn }]),
    ...(executionRoleArn === undefined
      ? []
      : [{ roleType: "TaskExecution" as const, roleArn: executionRoleArn }]),
  ];
}

/**
 * New credentials for one role of a task, as the agent takes them; undefined when the role is not there or does not trust
 * ECS (any more). The id stays when they are renewed: running containers know their credentials by it.
 */
export async function mintTaskCredentials(
  deps: TaskCredentialsDeps,
  task: Task,
  { roleArn, roleType }: { readonly roleType: RoleType; readonly roleArn: string },
): Promise<MintedCredentials | undefined> {
  const { accountId, region, clusterName, id } = task;
  const sourceArn = clusterArn(task, clusterName);
  const role = deps.serviceTrust({
    roleArn,
    accountId,
    region,
    service: TASKS_SERVICE,
    sourceArn,
  });
  if (role === undefined) return undefined;
  const [credentialsId, session] = await Promise.all([
    deps.minter.stableId(`${taskArn(task, clusterName, id)}/${roleType}`),
    deps.minter.mintSession({
      principal: {
        accountId,
        arn: assumedRoleArn(accountId, roleArn, id),
        kind: "role-session",
        userId: `${role.roleId}:${id}`,
        session: {
          issuedAt: deps.clock.now(),
          roleArn,
          task: { key: taskKey(task, clusterName, id), graceMs: GRACE_MS[roleType] },
        },
      },
      durationSeconds: DURATION_SECONDS,
    }),
  ]);
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt } = session;
  // Whole seconds: agents of every age read that form.
  const expiration = new Date(expiresAt).toISOString().replace(/\.\d{3}Z$/, "Z");
  return {
    credentials: {
      credentialsId,
      roleArn,
      accessKeyId,
      secretAccessKey,
      sessionToken,
      expiration,
    },
    expiresAt,
  };
}
