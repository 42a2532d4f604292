/** How the table of AWS's own policies is written: a grant is its actions by service, where, and on which condition. */

/** Action names by service prefix, parted by spaces: `{ ecr: "BatchGetImage GetAuthorizationToken" }`. */
export type Actions = Readonly<Record<string, string>>;

export type Conditions = Readonly<
  Record<string, Readonly<Record<string, string | readonly string[]>>>
>;

export interface StatementJson {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Conditions;
}

/** What else a statement says; the order of elements is that of AWS's texts. */
export interface Where {
  readonly sid?: string;
  /** Default: `*`. */
  readonly on?: string | readonly string[];
  readonly when?: Conditions;
}

/** Allows actions: of services, or `*`. */
export function allow(actions: Actions | "*", { sid, on = "*", when }: Where = {}): StatementJson {
  return {
    ...(sid !== undefined && { Sid: sid }),
    Effect: "Allow",
    Action: actions === "*" ? "*" : listActions(actions),
    Resource: on,
    ...(when !== undefined && { Condition: when }),
  };
}

/** Allows everything but these actions. */
export function allowAllBut(actions: Actions, { on = "*" }: Where = {}): StatementJson {
  return { Effect: "Allow", NotAction: listActions(actions), Resource: on };
}

/** Allows a service-linked role to be made, for these services only. */
export function allowServiceRole(
  services: string | readonly string[],
  where: Omit<Where, "when"> = {},
): StatementJson {
  const when = { StringLike: { "iam:AWSServiceName": services } };
  return allow({ iam: "CreateServiceLinkedRole" }, { ...where, when });
}

/** Allows roles to be handed to these services only. */
export function allowPassRole(
  services: string | readonly string[],
  where: Omit<Where, "when"> = {},
): StatementJson {
  const when = { StringLike: { "iam:PassedToService": services } };
  return allow({ iam: "PassRole" }, { ...where, when });
}

function listActions(actions: Actions): readonly string[] {
  return Object.entries(actions).flatMap(([service, names]) =>
    names.split(/\s+/).map((name) => `${service}:${name}`),
  );
}
