/** What a service hands to the door, and what the door hands to a handler. */

/** Who is calling, as SigV4 proved it. */
export interface Principal {
  readonly accountId: string;
  /** e.g. `arn:aws:iam::000000000000:root`, `arn:aws:sts::…:assumed-role/<role>/<session>`. */
  readonly arn: string;
  readonly accessKeyId: string;
  readonly kind: PrincipalKind;
  /** `aws:userid`: `AIDA…` of a user, `AROA…:<session name>` of a role's session; none for `node` and `anonymous`. */
  readonly userId?: string;
  /** Of temporary credentials. */
  readonly session?: SessionFacts;
}

/**
 * `root`: the account's root key, or a session of it. `user`: an IAM user's key, or a session of the user.
 * `role-session`: whoever assumed a role, tasks included. `node`: one machine's agent and dataplane. `join`: whoever
 * holds a join token. `anonymous`: nobody has signed, which few operations take.
 */
export type PrincipalKind = "root" | "user" | "role-session" | "node" | "join" | "anonymous";

/** What temporary credentials carry, beside whose they are. */
export interface SessionFacts {
  /** Epoch milliseconds. */
  readonly issuedAt: number;
  /** Of a role's session. */
  readonly roleArn?: string;
  /** Texts of the session policies; absent: none were passed, and nothing is narrowed. */
  readonly policies?: readonly string[];
  /** ARNs of managed policies that narrow the session as well. */
  readonly policyArns?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
  /** The keys of the tags that go on into sessions which this one makes. */
  readonly transitiveTagKeys?: readonly string[];
  readonly sourceIdentity?: string;
  /** Of a task's role: the task's key in the store, and how long after the task the session ends. */
  readonly task?: { readonly key: string; readonly graceMs: number };
}

/** Everything about the call that is not its input. */
export interface Call {
  readonly principal: Principal;
  /** From the credential scope. */
  readonly region: string;
  /** When the caller signed it, by the caller's clock: epoch milliseconds, in whole seconds; 0 for one that need not be signed. */
  readonly signedAt: number;
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

/**
 * Condition keys and their values, e.g. `ecs:cluster`, `aws:RequestTag/team`, `aws:TagKeys`. Names have no case; a list is a
 * multivalued key; undefined is absent.
 */
export type ConditionKeys = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Something that a caller must be allowed to do. */
export interface Permission {
  /** IAM action, e.g. `ecs:TagResource`. */
  readonly action: string;
  readonly resources: readonly string[];
  readonly conditions?: ConditionKeys;
}

/** A role that a call hands to a service, which will act in it. */
export interface PassedRole {
  readonly roleArn: string;
  /** e.g. `ecs-tasks.amazonaws.com`. */
  readonly service: string;
}

/** One row of a service's operation table. */
export type Operation<Input = never, Output = unknown> = Support & {
  /** IAM action, e.g. `ecs:RunTask`. */
  readonly action: string;
  /** ARNs the action is about, each of which must be allowed; `["*"]` where AWS has no resource-level permission. Pure. */
  readonly resources: (input: Input, call: Call) => readonly string[];
  /** The condition keys of the service, and tags, for one of the resources. Asked only when policies decide. */
  readonly conditions?: (input: Input, call: Call, resource: string) => ConditionKeys;
  /** Each is checked as `iam:PassRole`. */
  readonly passedRoles?: (input: Input, call: Call) => readonly PassedRole[];
  /** What else the caller must be allowed to do, e.g. `ecs:TagResource` to create something with tags. */
  readonly dependents?: (input: Input, call: Call) => readonly Permission[];
  /**
   * Who may call whatever policies say: `authenticated`, whoever signs; `anonymous`, even those who do not sign. Absent: who
   * has the permissions.
   */
  readonly access?: "authenticated" | "anonymous";
  /** The generic check of required members and enums is skipped: the handler speaks for itself. */
  readonly validatesItself?: boolean;
  /** Members of the input, all texts, that known callers send and no published model has: the ECS agent has a model of its own. */
  readonly unmodelled?: readonly string[];
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
  readonly operations: OperationTable;
}

export type OperationTable = Readonly<Record<string, Operation | Refusal | undefined>>;

/** A service whose code is loaded by the first call for it: a start should not wait for what nobody asks yet. */
export interface LateService {
  readonly name: string;
  /** Its operations whose `access` is `anonymous`: a caller who does not sign names no service. */
  readonly anonymous?: readonly string[];
  /** Asked again by the next call when it rejects. */
  readonly load: () => Promise<Service>;
}
