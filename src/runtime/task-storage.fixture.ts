/** Makes and removes a disk in the given directory without end, for a test that kills it. */
import { systemClock } from "../lib/clock.ts";
import { createTaskStorage } from "./task-storage.ts";

const storage = createTaskStorage(process.argv[2] ?? "", systemClock);
const key = { taskId: "t", owner: "o" };
process.stdout.write("begins\n");
for (;;) {
  await storage.create(key, 32 * 2 ** 20);
  await storage.remove(key);
}
