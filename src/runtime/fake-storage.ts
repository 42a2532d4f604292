import type { Runtime } from "./runtime.ts";
import type { TaskStorageKey } from "./task-storage.ts";

/** The disks of tasks as the fake runtime keeps them: by name only. */
export type FakeStorage = Pick<
  Runtime,
  "createTaskStorage" | "removeTaskStorage" | "listTaskStorage" | "taskStorageUsage"
>;

/** Disks that hold nothing. */
export function createFakeStorage(): FakeStorage {
  const disks = new Map<string, { readonly key: TaskStorageKey; readonly bytes: number }>();
  const nameOf = ({ owner, taskId }: TaskStorageKey): string => `${taskId}@${owner}`;
  return {
    createTaskStorage: async (key, bytes) => {
      disks.set(nameOf(key), { key, bytes });
      return `/storage/${nameOf(key)}`;
    },
    removeTaskStorage: async (key) => {
      disks.delete(nameOf(key));
    },
    listTaskStorage: async () => [...disks.values()].map(({ key }) => key),
    taskStorageUsage: async (key) => {
      const disk = disks.get(nameOf(key));
      return disk && { utilizedBytes: 0, reservedBytes: disk.bytes };
    },
  };
}
