import type { Call } from "../../door/service.ts";
import { parseIamArn } from "../model/arns.ts";
import { validationError } from "./errors.ts";

/** The caller's own name, where an operation takes that for an absent UserName. Throws ValidationError for who is no user. */
export function callerName({ principal }: Call): string {
  const parsed = parseIamArn(principal.arn);
  if (parsed?.type === "user") return parsed.name;
  throw validationError("Must specify userName when calling with non-User credentials");
}
