import type { UpgradeCall } from "../../door/upgrade.ts";
import { machineOf } from "../../iam/model/access-key.ts";
import type { Cache } from "../../store/cache.ts";
import { parseArn } from "../model/arn.ts";
import type { Instance } from "../model/instance.ts";
import { instanceKey } from "../model/keys.ts";

/** Whose connection a handshake asks for, or the answer that the agent understands (`ecs-agent-protocol` §2.1). */
export type Handshake = { readonly key: string; readonly instance: Instance } | Refusal;

export interface Refusal {
  readonly refuse: { readonly status: number; readonly body: string };
}

/** Checks who connects as which container instance. Query members are named differently on ACS and TCS. */
export function checkHandshake(
  cache: Cache,
  call: UpgradeCall,
  names: { readonly cluster: string; readonly containerInstance: string },
): Handshake {
  const arn = parseArn(call.query.get(names.containerInstance) ?? "");
  const [cluster, id] = arn?.path ?? [];
  if (arn?.type !== "container-instance" || !cluster || !id) {
    return refusal(400, "InvalidInstanceException", "The container instance ARN is not valid.");
  }
  if (arn.accountId !== call.principal.accountId || arn.region !== call.region) {
    return refusal(
      403,
      "AccessDeniedException",
      "The container instance belongs to another account or region.",
    );
  }
  const key = instanceKey(arn, cluster, id);
  const instance = cache.get(key)?.value as Instance | undefined;
  if (!instance) {
    return refusal(400, "InvalidInstanceException", "The container instance is not registered.");
  }
  const machine = machineOf(call.principal);
  // Whom else policies allow it may speak for any instance of the account: agents under roles of its own.
  if (call.principal.kind === "node" && machine !== instance.ec2InstanceId) {
    return refusal(
      403,
      "AccessDeniedException",
      "The container instance belongs to another machine.",
    );
  }
  if (instance.status === "INACTIVE") {
    return refusal(400, "InactiveInstanceException", "The container instance is deregistered.");
  }
  // The agent passes its configured cluster on as it is: a name or an ARN.
  const configured = call.query.get(names.cluster) ?? "";
  if (configured !== "" && configured.slice(configured.lastIndexOf("/") + 1) !== cluster) {
    return refusal(400, "InvalidClusterException", "The container instance is in another cluster.");
  }
  return { key, instance };
}

/** The body names the exception; only InactiveInstanceException makes the agent wait (an hour). */
export function refusal(status: number, type: string, message: string): Refusal {
  return { refuse: { status, body: JSON.stringify({ type, message: { message } }) } };
}
