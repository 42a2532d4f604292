import { interfaceKey, type NetworkInterface, type Subnet, subnetKey } from "../../ec2/model.ts";
import { assert } from "../../lib/errors.ts";
import type { Cache } from "../../store/cache.ts";
import { rootArn } from "../model/account-setting.ts";
import { taskDefinitionKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { effectiveSetting } from "../operations/account-settings.ts";
import type { PayloadSource } from "../operations/payload.ts";

/** Collects the records that a task's payload is made of. Throws InvariantError when one of them is gone. */
export function findPayloadSource(cache: Cache, task: Task): PayloadSource {
  const { family, revision, attachment } = task;
  const definition = cache.get(taskDefinitionKey(task, family, revision))?.value;
  assert(definition, `task definition ${family}:${revision} is gone`);
  const source = {
    task,
    definition: definition as TaskDefinition,
    logDriverMode: effectiveSetting(cache, task, rootArn(task.accountId), "defaultLogDriverMode"),
  };
  if (attachment?.networkInterfaceId === undefined) return source;
  const record = cache.get(interfaceKey(task, attachment.networkInterfaceId))?.value;
  assert(record, `network interface ${attachment.networkInterfaceId} is gone`);
  const networkInterface = record as NetworkInterface;
  const subnet = cache.get(subnetKey(task, networkInterface.subnetId))?.value;
  assert(subnet, `subnet ${networkInterface.subnetId} is gone`);
  return { ...source, network: { interface: networkInterface, subnet: subnet as Subnet } };
}
