import type { Image, Runtime } from "../../runtime/runtime.ts";
import { TaskFailure } from "../task-failure.ts";
import { definitionOf, type TaskRecord } from "../task-record.ts";

/** The images of the containers that have yet to start, by the containers' names. Throws TaskFailure for one that is not here. */
export async function imagesUp(
  runtime: Runtime,
  record: TaskRecord,
): Promise<ReadonlyMap<string, Image>> {
  const images = new Map<string, Image>();
  for (const { name, status } of record.containers) {
    const reference = definitionOf(record, name)?.image;
    if (status !== "PENDING" || reference === undefined) continue;
    const image = await runtime.findImage(reference);
    if (image === undefined) {
      throw new TaskFailure(
        `CannotPullContainerError: image ${reference} is not on this machine: load it with 'gantry image load'`,
        name,
      );
    }
    images.set(name, image);
  }
  return images;
}
