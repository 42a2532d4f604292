/** What a container's Docker security options come to. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** A profile by name, or `unconfined`; undefined: the default. */
  readonly apparmor: string | undefined;
  /** The first option that is none of ours, as it is written. */
  readonly unknown: string | undefined;
}

/** Reads Docker's options: `no-new-privileges`, `apparmor:<profile>`, `label:disable` (nothing here labels). Pure. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let noNewPrivileges = false;
  let apparmor: string | undefined;
  let unknown: string | undefined;
  for (const option of options) {
    const [, name = option, value] = /^([^:=]+)[:=](.*)$/.exec(option) ?? [];
    if (name === "no-new-privileges" && [undefined, "true", "false"].includes(value)) {
      noNewPrivileges = value !== "false";
    } else if (name === "apparmor" && value) apparmor = value;
    else if (!(name === "label" && value === "disable")) unknown ??= option;
  }
  return { noNewPrivileges, apparmor, unknown };
}
