/** What a service hands to the door, and what the door hands to a handler. */

/** Who is calling, as SigV4 proved it. */
export interface Principal {
  readonly accountId: string;
  /** e.g. `arn:aws:iam::000000000000:root`, `arn:aws:sts::…:assumed-role/<role>/<session>`. */
  readonly arn: string;
  readonly accessKeyId: string;
  /** What the authorisation seam decides by until IAM policies do: */
  readonly kind: PrincipalKind;
}

/**
 * `root`: the account's root key. `user`: one of IAM's users. `node`: one machine's agent and dataplane. `task-execution` and `task`: the
 * roles of a running task.
 */
export type PrincipalKind = "root" | "user" | "node" | "task-execution" | "task";

/** Everything about the call that is not its input. */
export interface Call {
  readonly principal: Principal;
  /** From the credential scope. */
  readonly region: string;
  readonly requestId: string;
  /** `http://host:port` as the caller reached us (the Host header): what DiscoverPollEndpoint answers with. */
  readonly endpoint: string;
  /** The caller's address. */
  readonly sourceIp: string;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** How much of an AWS operation is here. `docs/compatibility.md` is made from these rows. */
export type Support =
  | { readonly support: "full" }
  | { readonly support: "partial"; readonly missing: string };

/** One row of a service's operation table. */
export type Operation<Input = never, Output = unknown> = Support & {
  /** IAM action, e.g. `ecs:RunTask`. */
  readonly action: string;
  /** ARNs the action is about; `["*"]` where AWS has no resource-level permission. Pure. */
  readonly resources: (input: Input, call: Call) => readonly string[];
  /** The generic check of required members and enums is skipped: the handler speaks for itself. */
  readonly validatesItself?: boolean;
  readonly handle: (input: Input, call: Call) => Promise<Output>;
};

/** The row of an operation that this program has decided not to offer. */
export interface Refusal {
  readonly support: "refused";
  /** A sentence, for the caller and for `docs/compatibility.md`. */
  readonly why: string;
}

/**
 * The input and output types of every operation of an SDK package `M` (use with `typeof import("@aws-sdk/client-ecs")`).
 * The SDK is a development dependency: types only, nothing of it is loaded at run time.
 */
export type Operations<M> = {
  readonly [K in keyof M as K extends `${infer Name}Command`
    ? Name extends "$" | ""
      ? never
      : Name
    : never]?: M[K] extends abstract new (
    // biome-ignore lint/suspicious/noExplicitAny: matches any SDK constructor
    ...args: any[]
  ) => {
    readonly input: infer I;
    // biome-ignore lint/suspicious/noExplicitAny: matches any SDK middleware
    resolveMiddleware(...args: any[]): (args: any) => Promise<{ output: infer O }>;
  }
    ? Operation<I, Omit<O, "$metadata">> | Refusal
    : never;
};

/** One AWS service as the door serves it. */
export interface Service {
  /** The AWS CLI's name for it: `ecs`, `elbv2`, … */
  readonly name: string;
  readonly operations: Readonly<Record<string, Operation | Refusal | undefined>>;
}
