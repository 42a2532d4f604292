import type { Task } from "../../src/ecs/model/task.ts";
import { type LogGroup, type LogStream, streamKey } from "../../src/logs/model.ts";
import type { SimMachine } from "./machine.ts";
import type { MemoryLogs } from "./memory-log-store.ts";
import type { SafetyChecker } from "./safety.ts";
import { ACCOUNT_ID, REGION } from "./server.ts";

/** Where the containers of the simulator log to. It is there from the start. */
export const LOG_GROUP: LogGroup = {
  accountId: ACCOUNT_ID,
  region: REGION,
  id: "simgroup",
  name: "/sim",
  logGroupClass: "STANDARD",
  deletionProtectionEnabled: false,
  tags: {},
  createdAt: 0,
};
export const STREAM_PREFIX = "out";

/**
 * The first container whose log stream does not hold what it wrote, every line once and in order; undefined when all do. What
 * may be missing, of containers whose files or whose task nobody kept, is missing in whole lines and nothing else is changed.
 */
export function findUnshipped(
  records: SafetyChecker,
  machines: readonly SimMachine[],
  logs: MemoryLogs,
): string | undefined {
  const tasks = new Map(records.list<Task>("tasks").map((task) => [task.id, task]));
  for (const { history, runtime } of machines) {
    for (const [id, text] of runtime.written) {
      const written = linesOf(text);
      const stored = linesOf(storedText(records, logs, id));
      const task = tasks.get(id.slice(0, id.indexOf("-")));
      const isWhole = task !== undefined && !history.mayLoseOutput(task, id);
      if (isWhole && stored.length < written.length) {
        return `${id} wrote ${written.length} lines, its stream has ${stored.length}`;
      }
      let at = 0;
      for (const line of stored) {
        at = written.indexOf(line, at) + 1;
        if (at === 0) return `the stream of ${id} has ${JSON.stringify(line)} in a wrong place`;
      }
    }
  }
  return undefined;
}

function storedText(records: SafetyChecker, logs: MemoryLogs, containerId: string): string {
  const dash = containerId.indexOf("-");
  const [taskId, name] = [containerId.slice(0, dash), containerId.slice(dash + 1)];
  const key = streamKey(LOG_GROUP, `${STREAM_PREFIX}/${name}/${taskId}`);
  const stream = records.get(key) as LogStream | undefined;
  const lines = logs.streams.get(stream?.id ?? "")?.lines ?? [];
  return lines.map(({ message }) => message).join("\n");
}

function linesOf(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}
