/** The door's own errors. What each is called, and its status, differs from protocol to protocol. */
import { ApiError } from "../lib/errors.ts";
import { BODY_BYTES_MAX } from "./limits.ts";

/** Protocols that name the door's own errors alike: `json` is also CBOR. */
export type ErrorFamily = "json" | "rest" | "query" | "ec2";

type Named = readonly [code: string, status: number];

/** What the door itself can find wrong. */
export type DoorFault =
  | "missingAuthentication"
  | "incompleteSignature"
  | "unknownKey"
  | "expiredToken"
  | "invalidSignature"
  | "unknownOperation"
  | "notImplemented"
  | "serialization"
  | "bodyTooLarge"
  | "accessDenied"
  | "internalFailure"
  | "unavailable";

/** Source: what AWS's services answer, and what the SDKs know by name. */
const FAULTS: Readonly<Record<DoorFault, Readonly<Record<ErrorFamily, Named>>>> = {
  missingAuthentication: {
    json: ["MissingAuthenticationTokenException", 400],
    rest: ["MissingAuthenticationTokenException", 403],
    query: ["MissingAuthenticationToken", 403],
    ec2: ["MissingAuthenticationToken", 403],
  },
  incompleteSignature: {
    json: ["IncompleteSignatureException", 400],
    rest: ["IncompleteSignatureException", 403],
    query: ["IncompleteSignature", 400],
    ec2: ["IncompleteSignature", 400],
  },
  unknownKey: {
    json: ["UnrecognizedClientException", 400],
    rest: ["UnrecognizedClientException", 403],
    query: ["InvalidClientTokenId", 403],
    ec2: ["AuthFailure", 401],
  },
  expiredToken: {
    json: ["ExpiredTokenException", 400],
    rest: ["ExpiredTokenException", 403],
    query: ["ExpiredToken", 403],
    ec2: ["RequestExpired", 400],
  },
  invalidSignature: {
    json: ["InvalidSignatureException", 400],
    rest: ["InvalidSignatureException", 403],
    query: ["SignatureDoesNotMatch", 403],
    ec2: ["SignatureDoesNotMatch", 403],
  },
  unknownOperation: {
    json: ["UnknownOperationException", 400],
    rest: ["UnknownOperationException", 404],
    query: ["InvalidAction", 400],
    ec2: ["InvalidAction", 400],
  },
  notImplemented: everywhere("NotImplemented", 501),
  serialization: {
    json: ["SerializationException", 400],
    rest: ["SerializationException", 400],
    query: ["MalformedInput", 400],
    ec2: ["InvalidParameterValue", 400],
  },
  bodyTooLarge: everywhere("RequestEntityTooLargeException", 413),
  accessDenied: {
    json: ["AccessDeniedException", 400],
    rest: ["AccessDeniedException", 403],
    query: ["AccessDenied", 403],
    ec2: ["UnauthorizedOperation", 403],
  },
  internalFailure: {
    json: ["InternalFailure", 500],
    rest: ["InternalFailure", 500],
    query: ["InternalFailure", 500],
    ec2: ["InternalError", 500],
  },
  unavailable: {
    json: ["ServiceUnavailableException", 503],
    rest: ["ServiceUnavailableException", 503],
    query: ["ServiceUnavailable", 503],
    ec2: ["Unavailable", 503],
  },
};

function everywhere(code: string, status: number): Record<ErrorFamily, Named> {
  const named: Named = [code, status];
  return { json: named, rest: named, query: named, ec2: named };
}

/** A fault that the door found. As an {@link ApiError} it has the name that the JSON services use. */
export class DoorError extends ApiError {
  readonly fault: DoorFault;

  constructor(fault: DoorFault, message: string) {
    const [code, status] = FAULTS[fault].json;
    super(code, message, { status });
    this.fault = fault;
  }

  /** Code and status in a protocol of `family`. */
  in(family: ErrorFamily): Named {
    return FAULTS[this.fault][family];
  }
}

/** No `Authorization` header and no signature in the query. */
export function missingAuthentication(): DoorError {
  return new DoorError("missingAuthentication", "Missing Authentication Token");
}

/** There is a signature, but not in a form that can be checked. */
export function incompleteSignature(message: string): DoorError {
  return new DoorError("incompleteSignature", message);
}

/** The access key, or its session token, is not one of ours. */
export function unknownKey(): DoorError {
  return new DoorError("unknownKey", "The security token included in the request is invalid.");
}

/** The session has ended. */
export function expiredToken(): DoorError {
  return new DoorError("expiredToken", "The security token included in the request is expired");
}

const SIGNATURE_DIFFERS =
  "The request signature we calculated does not match the signature you provided. " +
  "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/** The signature is not that of the request, or it is too old, too new or for something else. */
export function invalidSignature(message: string = SIGNATURE_DIFFERS): DoorError {
  return new DoorError("invalidSignature", message);
}

/** No such service, or the service has no such operation. */
export function unknownOperation(message: string): DoorError {
  return new DoorError("unknownOperation", message);
}

/** AWS has the operation and this program has not. 501, because SDKs do not retry that. */
export function notImplemented(service: string, operation: string): DoorError {
  return new DoorError(
    "notImplemented",
    `Gantry does not implement ${service}:${operation} yet. docs/compatibility.md lists what it does.`,
  );
}

/** This program has decided not to offer the operation. `why` is the row's own sentence. */
export function refusedOperation(service: string, operation: string, why: string): DoorError {
  return new DoorError("notImplemented", `Gantry does not offer ${service}:${operation}: ${why}`);
}

/** The request is not what the operation's shape says. */
export function serialization(message: string): DoorError {
  return new DoorError("serialization", message);
}

/** The body, sent or unpacked, is larger than the door takes. */
export function bodyTooLarge(): DoorError {
  return new DoorError("bodyTooLarge", `The request body is larger than ${BODY_BYTES_MAX} bytes.`);
}

/** `message` is IAM's sentence: who may not do what to what, and why. */
export function accessDenied(message: string): DoorError {
  return new DoorError("accessDenied", message);
}

/** EC2 tells the details too, in a form that sts:DecodeAuthorizationMessage reads. */
export function unauthorizedOperation(message: string, encoded: string): DoorError {
  return new DoorError(
    "accessDenied",
    `You are not authorized to perform this operation. ${message}. Encoded authorization failure message: ${encoded}`,
  );
}

/** Anything unexpected: what it was stands only in the log, beside the request id. */
export function internalFailure(requestId: string): DoorError {
  return new DoorError("internalFailure", `Internal error. Request id: ${requestId}`);
}

/** Something we depend on cannot be reached now. SDKs retry this. */
export function unavailable(requestId: string): DoorError {
  return new DoorError(
    "unavailable",
    `The service is unavailable, try again. Request id: ${requestId}`,
  );
}
