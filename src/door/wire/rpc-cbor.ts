/** Smithy RPC v2 CBOR: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html */
import type { RawReply } from "../raw.ts";
import { CBOR_FORMAT, encodeCbor, writeCbor } from "./cbor.ts";
import {
  messageMember,
  type Protocol,
  qualifiedCode,
  queryErrorHeader,
  type ReplyContext,
} from "./protocol.ts";
import { writeStructure } from "./tree.ts";

export const RPC_V2_CBOR: Protocol = {
  name: "rpcv2Cbor",
  errorFamily: "json",
  writeOutput: (shape, output, context) =>
    reply(200, writeCbor(shape.output, output, context.strict), context),
  writeError: (error, context) => {
    const { shape, status } = error;
    const writer = { format: CBOR_FORMAT, strict: context.strict };
    const members = shape && writeStructure(shape, error.members, writer, shape.name);
    const type = qualifiedCode(error, context);
    const body = { __type: type, ...members, [messageMember(error)]: error.message };
    const plain = reply(status, encodeCbor(body), context);
    return { ...plain, headers: { ...plain.headers, ...queryErrorHeader(error) } };
  },
};

function reply(status: number, body: Uint8Array, { requestId }: ReplyContext): RawReply {
  return {
    status,
    headers: {
      "content-type": "application/cbor",
      "smithy-protocol": "rpc-v2-cbor",
      "x-amzn-requestid": requestId,
    },
    body,
  };
}
