import type { Call, Operation, Support } from "./service.ts";

/** What an operation's row says beside its handler. */
export interface RowFacts<Input> {
  /** ARNs the action is about. */
  readonly resources: (input: Input, call: Call) => readonly string[];
  /** What of the operation is not here; absent: nothing. */
  readonly missing?: string;
}

type MakeRow<Deps> = <Input, Output>(
  action: string,
  handle: (deps: Deps, input: Input, call: Call) => Promise<Output>,
  facts: RowFacts<Input>,
) => Operation<Input, Output>;

/** Makes the rows of one service: of handlers that take what they work with, the input and the call, in that order. */
export function rowsOf<Deps>(signingName: string, deps: Deps): MakeRow<Deps> {
  return (action, handle, { missing, resources }) => {
    const support: Support =
      missing === undefined ? { support: "full" } : { support: "partial", missing };
    return {
      ...support,
      action: `${signingName}:${action}`,
      resources,
      handle: (input, call) => handle(deps, input, call),
    };
  };
}
