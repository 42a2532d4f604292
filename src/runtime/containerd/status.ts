import { status as Status } from "@grpc/grpc-js";

/** The gRPC status codes that Gantry tells apart. */
export { Status };

/** Whether `error` is a gRPC error of this status code. */
export function isCode(error: unknown, code: Status): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** Awaits `call`, taking a gRPC error of one of these codes for `undefined`. */
export async function tolerating<T>(
  codes: readonly Status[],
  call: Promise<T>,
): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (codes.some((code) => isCode(error, code))) return undefined;
    throw error;
  }
}

/** The server's own words, without gRPC's `5 NOT_FOUND: ` in front. */
export function detailsOf(error: unknown): string {
  if (error instanceof Error && "details" in error && typeof error.details === "string") {
    return error.details;
  }
  return error instanceof Error ? error.message : String(error);
}
