import type { IamRoleCredentialsMessage, RoleCredentials } from "../../protocol/acs.ts";
import { assumedRoleArn, type Session, type SessionRequest } from "../../sts/model.ts";
import { taskArn } from "../model/arn.ts";
import type { Task } from "../model/task.ts";

export type RoleType = IamRoleCredentialsMessage["roleType"];

/** What the orchestrator needs of `sts`. */
export interface SessionMinter {
  mintSession(request: SessionRequest): Promise<Session>;
  /** An unguessable id that is always the same for the same subject. */
  stableId(subject: string): Promise<string>;
}

export interface MintedCredentials {
  readonly credentials: RoleCredentials;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** ECS: the credentials of a task last six hours. */
const DURATION_SECONDS = 6 * 3600;

const PRINCIPAL_KIND = { TaskApplication: "task", TaskExecution: "task-execution" } as const;

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
 * New credentials for one role of a task, as the agent takes them. The id stays when they are renewed: running
 * containers know their credentials by it.
 */
export async function mintTaskCredentials(
  minter: SessionMinter,
  task: Task,
  role: { readonly roleType: RoleType; readonly roleArn: string },
): Promise<MintedCredentials> {
  const arn = taskArn(task, task.clusterName, task.id);
  const [credentialsId, session] = await Promise.all([
    minter.stableId(`${arn}/${role.roleType}`),
    minter.mintSession({
      principal: {
        accountId: task.accountId,
        arn: assumedRoleArn(task.accountId, role.roleArn, task.id),
        kind: PRINCIPAL_KIND[role.roleType],
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
      roleArn: role.roleArn,
      accessKeyId,
      secretAccessKey,
      sessionToken,
      expiration,
    },
    expiresAt,
  };
}
