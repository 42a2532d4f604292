/** awsJson 1.0 and 1.1: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html */
import type { RawReply } from "../raw.ts";
import { eventStream } from "./event-stream.ts";
import { JSON_FORMAT, writeJson } from "./json.ts";
import {
  messageMember,
  type Protocol,
  qualifiedCode,
  queryErrorHeader,
  type ReplyContext,
} from "./protocol.ts";
import { writeStructure } from "./tree.ts";

export const AWS_JSON_1_0: Protocol = awsJson("awsJson1_0", "application/x-amz-json-1.0");
export const AWS_JSON_1_1: Protocol = awsJson("awsJson1_1", "application/x-amz-json-1.1");

function awsJson(name: "awsJson1_0" | "awsJson1_1", contentType: string): Protocol {
  const reply = (status: number, body: string, { requestId }: ReplyContext): RawReply => ({
    status,
    headers: { "content-type": contentType, "x-amzn-requestid": requestId },
    body,
  });
  return {
    name,
    errorFamily: "json",
    writeOutput: (shape, output, context) => {
      if (shape.eventStream === undefined) {
        return reply(200, writeJson(shape.output, output, context.strict), context);
      }
      const stream = eventStream(shape, shape.eventStream, output, context);
      const headers = {
        "content-type": "application/vnd.amazon.eventstream",
        "x-amzn-requestid": context.requestId,
      };
      return { status: 200, headers, body: "", stream };
    },
    writeError: (error, context) => {
      const { shape, status } = error;
      const writer = { format: JSON_FORMAT, strict: context.strict };
      const members = shape && writeStructure(shape, error.members, writer, shape.name);
      const type = name === "awsJson1_0" ? qualifiedCode(error, context) : error.code;
      const body = { __type: type, ...members, [messageMember(error)]: error.message };
      const plain = reply(status, JSON.stringify(body), context);
      return { ...plain, headers: { ...plain.headers, ...queryErrorHeader(error) } };
    },
  };
}
