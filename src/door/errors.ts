/** The door's own errors, by the names that AWS's JSON services use and in AWS's words. */
import { ApiError } from "../lib/errors.ts";

/** No `Authorization` header and no signature in the query. */
export function missingAuthentication(): ApiError {
  return new ApiError("MissingAuthenticationTokenException", "Missing Authentication Token", {
    status: 400,
  });
}

/** There is a signature, but not in a form that can be checked. */
export function incompleteSignature(message: string): ApiError {
  return new ApiError("IncompleteSignatureException", message, { status: 400 });
}

/** The access key, or its session token, is not one of ours. */
export function unknownKey(): ApiError {
  return new ApiError(
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
    { status: 400 },
  );
}

const SIGNATURE_DIFFERS =
  "The request signature we calculated does not match the signature you provided. " +
  "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/** The signature is not that of the request, or it is too old, too new or for something else. */
export function invalidSignature(message: string = SIGNATURE_DIFFERS): ApiError {
  return new ApiError("InvalidSignatureException", message, { status: 400 });
}

/** No such service, or the service has no such operation. */
export function unknownOperation(name: string): ApiError {
  return new ApiError("UnknownOperationException", `Unknown operation: ${name}`, { status: 400 });
}

/** AWS has the operation and this program has not. 501, because SDKs do not retry that. */
export function notImplemented(service: string, operation: string): ApiError {
  return new ApiError("NotImplemented", `Gantry does not implement ${service}:${operation}.`, {
    status: 501,
  });
}

/** This program has decided not to offer the operation. `why` is the row's own sentence. */
export function refusedOperation(service: string, operation: string, why: string): ApiError {
  return new ApiError("NotImplemented", `Gantry does not offer ${service}:${operation}: ${why}`, {
    status: 501,
  });
}

/** The body is not what the operation's shape says. */
export function serialization(message: string): ApiError {
  return new ApiError("SerializationException", message, { status: 400 });
}

/** The body, sent or unpacked, is larger than the door takes. */
export function bodyTooLarge(limitBytes: number): ApiError {
  return new ApiError(
    "RequestEntityTooLargeException",
    `The request body is larger than ${limitBytes} bytes.`,
    { status: 413 },
  );
}

/** `why` completes the sentence: "no identity-based policy allows the … action". */
export function accessDenied(
  principalArn: string,
  action: string,
  resource: string,
  why: string,
): ApiError {
  return new ApiError(
    "AccessDeniedException",
    `User: ${principalArn} is not authorized to perform: ${action} on resource: ${resource} because ${why}`,
    { status: 400 },
  );
}

/** Anything unexpected: what it was stands only in the log, beside the request id. */
export function internalFailure(requestId: string): ApiError {
  return new ApiError("ServerException", `Internal error. Request id: ${requestId}`, {
    status: 500,
  });
}

/** Something we depend on cannot be reached now. SDKs retry this. */
export function unavailable(requestId: string): ApiError {
  return new ApiError(
    "ServiceUnavailableException",
    `The service is unavailable, try again. Request id: ${requestId}`,
    { status: 503 },
  );
}
