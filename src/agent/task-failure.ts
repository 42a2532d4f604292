/** Why a task cannot run, in ECS's words: for one of its containers or, without a name, for the task. */
export class TaskFailure extends Error {
  override readonly name = "TaskFailure";
  readonly container: string | undefined;

  constructor(reason: string, container?: string) {
    super(reason);
    this.container = container;
  }
}
