/** Something that must never be, and is. */
export class Violation extends Error {
  override readonly name = "Violation";
  /** `S1` … `S11`, `L1` … `L7`, or `process` for one that ended by itself. */
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.invariant = invariant;
  }
}
