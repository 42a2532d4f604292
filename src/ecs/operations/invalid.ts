import { SHOWN_VALUE_LENGTH_MAX } from "../../door/limits.ts";
import { ApiError } from "../../lib/errors.ts";

/** The exception for a parameter that makes no sense. */
export function invalid(message: string): ApiError {
  return new ApiError("InvalidParameterException", message);
}

/** The exception for what ECS calls the client's fault. */
export function clientFault(message: string): ApiError {
  return new ApiError("ClientException", message);
}

/** Throws unless a batch has 1 to `max` elements. `name` as ECS begins the sentence. */
export function requireBatch(
  name: string,
  elements: readonly unknown[] | undefined,
  max: number,
): void {
  if (!elements?.length) throw invalid(`${name} cannot be empty.`);
  if (elements.length > max) throw invalid(`${name} cannot have more than ${max} elements`);
}

/** A caller's text as messages name it. */
export function quoted(text: string): string {
  return `'${text.slice(0, SHOWN_VALUE_LENGTH_MAX)}'`;
}
