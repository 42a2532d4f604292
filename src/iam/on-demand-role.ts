import type { Service } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { EnsureServiceLinkedRole } from "./model/service-linked-roles.ts";

/**
 * A service whose named operations make its service-linked role first, if the account has none yet. Whoever may call the
 * operation need not be allowed to make roles: the service does it for itself, as on AWS.
 */
export function withServiceLinkedRole(
  service: Service,
  { principal, operations }: { readonly principal: string; readonly operations: readonly string[] },
  ensure: EnsureServiceLinkedRole,
): Service {
  const rows = operations.flatMap((name) => {
    const row = service.operations[name];
    if (row === undefined || !("handle" in row)) return [];
    const handle: typeof row.handle = async (input, call) => {
      await ensureFor(call.principal.accountId);
      return row.handle(input, call);
    };
    return [[name, { ...row, handle }] as const];
  });
  return { ...service, operations: { ...service.operations, ...Object.fromEntries(rows) } };

  async function ensureFor(accountId: string): Promise<void> {
    try {
      await ensure(accountId, principal);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The account has as many roles as it may have.
      const message = `Unable to create the service linked role of ${principal}: ${error.message}`;
      throw new ApiError("InvalidParameterException", message, { cause: error });
    }
  }
}
