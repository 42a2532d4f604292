import type { Journal } from "./journal.ts";
import type { TaskRecord } from "./task-record.ts";
import { type Change, Wake } from "./wake.ts";

/** One task's record, its durable copy, and those who wait for it to change. */
export class TaskEntry {
  #record: TaskRecord;
  readonly #journal: Journal;
  readonly #onChange: () => void;
  readonly #wake = new Wake();

  /** `record` is in the journal already. `onChange` is called after each change. */
  constructor(journal: Journal, record: TaskRecord, onChange: () => void = () => undefined) {
    this.#journal = journal;
    this.#onChange = onChange;
    this.#record = record;
  }

  get record(): TaskRecord {
    return this.#record;
  }

  get arn(): string {
    return this.#record.task.arn;
  }

  /** Changes the record: durable on return. A change that returns the same object is none. */
  update(change: (record: TaskRecord) => TaskRecord): void {
    const next = change(this.#record);
    if (next === this.#record) return;
    this.#journal.putTask(next);
    this.#record = next;
    this.#wake.notify();
    this.#onChange();
  }

  /** Changes the record for those who read it now; durable with the next `update`. For what may be lost in a crash. */
  note(change: (record: TaskRecord) => TaskRecord): void {
    this.#record = change(this.#record);
    this.#wake.notify();
  }

  /** What happens at the next change. */
  changed(): Change {
    return this.#wake.next();
  }
}
