/** What every wire protocol can do with a reply. Reading differs too much: see `route.ts`. */
import type { ErrorFamily } from "../errors.ts";
import type { RawReply } from "../raw.ts";
import type { OperationShape, ServiceShapes, StructureShape } from "../shape.ts";

export type ProtocolName =
  | "awsJson1_0"
  | "awsJson1_1"
  | "rpcv2Cbor"
  | "awsQuery"
  | "ec2Query"
  | "restJson1";

/** The reply that is being written. */
export interface ReplyContext {
  readonly requestId: string;
  /** Of the service that was called; `undefined` when it is none of ours. */
  readonly shapes: ServiceShapes | undefined;
  /** Members that the schema does not know throw instead of being left out. */
  readonly strict: boolean;
}

/** An error as it is told in one protocol. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly status: number;
  /** Whose fault it is: the caller's, or ours. */
  readonly fault: "client" | "server";
  /** The exception's shape, where the service models it, and its members beside the message. */
  readonly shape: StructureShape | undefined;
  readonly members: Readonly<Record<string, unknown>>;
  /** What clients of the service's former query protocol know the error by: set when the caller asked for it. */
  readonly queryCode: string | undefined;
}

export interface Protocol {
  readonly name: ProtocolName;
  readonly errorFamily: ErrorFamily;
  readonly writeOutput: (shape: OperationShape, output: unknown, context: ReplyContext) => RawReply;
  readonly writeError: (error: WireError, context: ReplyContext) => RawReply;
}

/** The exception's name with the namespace before it, as awsJson 1.0 and CBOR have it. */
export function qualifiedCode(error: WireError, { shapes }: ReplyContext): string {
  if (error.shape === undefined || shapes === undefined) return error.code;
  return `${shapes.namespace}#${error.code}`;
}

/** The name of the member that carries the message: `Message` in some older models. */
export function messageMember({ shape }: WireError): string {
  return shape?.byName.has("Message") ? "Message" : "message";
}

/** The header by which clients of a service that once spoke awsQuery get the code of old. */
export function queryErrorHeader(error: WireError): Record<string, string> {
  if (error.queryCode === undefined) return {};
  const who = error.fault === "client" ? "Sender" : "Receiver";
  return { "x-amzn-query-error": `${error.queryCode};${who}` };
}
