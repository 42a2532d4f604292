import { ApiError } from "../../lib/errors.ts";

/** IAM's errors, by the names its shapes have; the door gives them the codes of the query protocol. */

export function noSuchEntity(message: string): ApiError {
  return new ApiError("NoSuchEntityException", message);
}
export function alreadyExists(message: string): ApiError {
  return new ApiError("EntityAlreadyExistsException", message);
}
export function deleteConflict(message: string): ApiError {
  return new ApiError("DeleteConflictException", message);
}
/** `quota` by the name AWS gives it: `PoliciesPerRole`. */
export function quotaExceeded(quota: string, max: number): ApiError {
  return limitExceeded(`Cannot exceed quota for ${quota}: ${max}`);
}
export function limitExceeded(message: string): ApiError {
  return new ApiError("LimitExceededException", message);
}
export function malformedPolicy(reason: string): ApiError {
  return new ApiError("MalformedPolicyDocumentException", reason);
}
export function invalidInput(message: string): ApiError {
  return new ApiError("InvalidInputException", message);
}
export function validationError(message: string): ApiError {
  return new ApiError("ValidationError", message);
}
/** Of a service-linked role: its service changes it, nobody else. */
export function unmodifiable(roleName: string): ApiError {
  return new ApiError(
    "UnmodifiableEntityException",
    `Cannot perform the operation on the protected role '${roleName}' - this role is only modifiable by AWS`,
  );
}
/** Also where the rights are not the question: root's own keys, another account's policy. */
export function accessDenied(message: string): ApiError {
  return new ApiError("AccessDenied", message, { status: 403 });
}
