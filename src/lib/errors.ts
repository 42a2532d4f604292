/** The caller's (or our declared) fault, by AWS's name for it. The door gives it the wire form of the service. */
export class ApiError extends Error {
  /** The exception's name, e.g. `ClusterNotFoundException`. */
  readonly code: string;
  /** HTTP status, where the shape of the exception does not fix one. */
  readonly status: number | undefined;
  /** Further members of the exception's shape, e.g. `resourceIds`. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    options: { status?: number; members?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = code;
    this.code = code;
    this.status = options.status;
    this.members = options.members ?? {};
  }
}

/** Something we depend on (store, agent, runtime, network) cannot be reached now; trying again may help. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
}

/** The asked-for history of the store is gone: list again and watch from there. */
export class CompactedError extends Error {
  override readonly name = "CompactedError";
}

/** A bug of ours: an assumption of the code does not hold. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** A setting, file or machine that is not as we need it. The message says what to do; no stack is shown. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

/** Throws {@link InvariantError} unless `condition` holds. For programmer errors only, never for input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
