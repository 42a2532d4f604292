import type { TestContext } from "node:test";
import type { Call } from "../../door/service.ts";
import { createIam, type Iam } from "../create-iam.ts";
import { type IamKit, startIam } from "../iam.fixture.ts";
import type { IamOperations } from "./tables/row.ts";

type Row<K extends keyof IamOperations> = Extract<
  NonNullable<IamOperations[K]>,
  { handle: unknown }
>;

/** Calls an operation by name, as the account's root unless another call is given. */
export type Run = <K extends keyof IamOperations>(
  name: K,
  input: Parameters<Row<K>["handle"]>[0],
  call?: Call,
) => ReturnType<Row<K>["handle"]>;

export interface IamApi extends IamKit {
  readonly iam: Iam;
  readonly run: Run;
}

/** IAM's operations on an empty store. */
export async function startApi(t: TestContext): Promise<IamApi> {
  const kit = await startIam(t);
  const iam = createIam(kit.deps);
  const operations = (await iam.service.load()).operations as IamOperations;
  const run: Run = (name, input, call = kit.call) => {
    const row = operations[name];
    if (row === undefined || !("handle" in row)) throw new Error(`no operation ${name}`);
    const handle = row.handle as (input: unknown, call: Call) => never;
    return handle(input, call);
  };
  return { ...kit, iam, run };
}

/** A policy that allows one action. */
export function allowing(action: string): string {
  const statement = { Effect: "Allow", Action: action, Resource: "*" };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
}

/** A trust policy for one principal. */
export function trusting(
  principal: Readonly<Record<string, string | readonly string[]>> = {
    Service: "ecs-tasks.amazonaws.com",
  },
): string {
  const statement = { Effect: "Allow", Principal: principal, Action: "sts:AssumeRole" };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
}

/** A call of a user of the account. */
export function callOfUser({ call }: IamKit, userName: string): Call {
  const { accountId } = call.principal;
  const arn = `arn:aws:iam::${accountId}:user/${userName}`;
  return { ...call, principal: { accountId, arn, accessKeyId: "AKIAUSER", kind: "user" } };
}
