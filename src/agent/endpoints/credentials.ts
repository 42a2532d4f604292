import type { Log } from "../../lib/log.ts";
import { type Answer, json } from "./answer.ts";
import type { EndpointHub } from "./hub.ts";

/** What a credentials request says, whichever version of the path it came by. */
export interface CredentialsRequest {
  /** Empty: the request names none. */
  readonly credentialsId: string;
  readonly sourceAddress: string;
}

/**
 * The credentials of a task's role, as every SDK reads them. Until the server has sent them again after a restart of the agent
 * they are not there yet: SDKs try a 503 again. Every answer that holds some leaves a line in the log.
 */
export function answerCredentials(
  { hub, audit }: { readonly hub: EndpointHub; readonly audit: Log },
  { credentialsId, sourceAddress }: CredentialsRequest,
): Answer {
  if (credentialsId === "") {
    return refusal(400, "NoIdInRequest", "the request names no credentials id");
  }
  const task = hub.taskOfCredentials(credentialsId, sourceAddress);
  if (task === undefined) {
    return refusal(400, "InvalidIdInRequest", "no task has credentials with this id");
  }
  const credentials = task.agent.taskCredentials(task.arn);
  if (credentials === undefined) {
    return refusal(
      503,
      "CredentialsUninitialized",
      "the credentials have not come from the server yet",
    );
  }
  const { roleArn, accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  audit.info("credentials read", { task: task.arn, role: roleArn, from: sourceAddress });
  return json(200, {
    RoleArn: roleArn,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: sessionToken,
    Expiration: expiration,
  });
}

function refusal(status: number, code: string, message: string): Answer {
  return json(status, { code, message, HTTPErrorCode: status });
}
