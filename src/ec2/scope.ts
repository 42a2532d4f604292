import type { Call } from "../door/service.ts";

/** The account and region of a call. */
export function scopeOf({ principal, region }: Call): {
  readonly accountId: string;
  readonly region: string;
} {
  return { accountId: principal.accountId, region };
}
