import { runTokenKey, type Scope, taskKey } from "../model/keys.ts";
import { isTokenValid } from "../model/run-token.ts";
import type { RunToken, Task } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";

/** What a client token of RunTask stands for in a cluster; undefined for one that is new, or forgotten by now. */
export function findRunToken(
  { cache, clock }: EcsDeps,
  { clusterName, ...scope }: Scope & { readonly clusterName: string },
  clientToken: string,
): RunToken | undefined {
  const record = cache.get(runTokenKey(scope, clusterName, clientToken));
  if (record === undefined) return undefined;
  const token = record.value as RunToken;
  const tasks = token.taskIds.flatMap(
    (id) => (cache.get(taskKey(scope, clusterName, id))?.value as Task | undefined) ?? [],
  );
  return isTokenValid(token, tasks, clock.now()) ? token : undefined;
}
