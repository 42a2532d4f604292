/** What an error is called in the protocol that is spoken, and its status there. */
import type { ApiError } from "../lib/errors.ts";
import { DoorError, type ErrorFamily } from "./errors.ts";
import { exceptionTraits, type ServiceShapes } from "./shape.ts";
import type { Protocol, WireError } from "./wire/protocol.ts";

/** `wantsQueryCode`: the caller knows the service's errors by the codes of the query protocol it once spoke. */
export function toWireError(
  error: ApiError,
  protocol: Protocol,
  shapes: ServiceShapes | undefined,
  wantsQueryCode: boolean,
): WireError {
  const family = protocol.errorFamily;
  const shape = shapes?.exception(error.code);
  const { fault, httpStatus, query } = shape === undefined ? UNMODELLED : exceptionTraits(shape);
  const [code, doorStatus] = nameIn(family, error);
  // What the door finds has names of its own there, even where the service has an exception that is called alike.
  const isNamedByQuery = family === "query" && !(error instanceof DoorError);
  const [modelledCode, modelledStatus] =
    isNamedByQuery && query !== undefined ? query : [code, httpStatus];
  const status = modelledStatus ?? doorStatus ?? error.status ?? (fault === "server" ? 500 : 400);
  return {
    code: modelledCode,
    message: error.message,
    status,
    fault: status >= 500 ? "server" : "client",
    shape,
    members: error.members,
    queryCode: wantsQueryCode ? (query?.[0] ?? nameIn("query", error)[0]) : undefined,
  };
}

const UNMODELLED: ReturnType<typeof exceptionTraits> = {
  fault: "client",
  httpStatus: undefined,
  query: undefined,
};

function nameIn(
  family: ErrorFamily,
  error: ApiError,
): readonly [code: string, status: number | undefined] {
  return error instanceof DoorError ? error.in(family) : [error.code, undefined];
}
