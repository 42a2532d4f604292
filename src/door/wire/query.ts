/**
 * Replies of the two query protocols. https://smithy.io/2.0/aws/protocols/aws-query-protocol.html,
 * https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
 */
import type { RawReply } from "../raw.ts";
import type { OperationShape } from "../shape.ts";
import type { Protocol, ReplyContext, WireError } from "./protocol.ts";
import { writeXmlMembers, xmlElement } from "./xml.ts";

export const AWS_QUERY: Protocol = {
  name: "awsQuery",
  errorFamily: "query",
  writeOutput: (shape, output, context) => {
    const { name } = shape;
    const members = outputMembers(shape, output, context);
    const result = isVoid(shape) ? "" : `<${name}Result>${members}</${name}Result>`;
    const metadata = `<ResponseMetadata>${xmlElement("RequestId", context.requestId)}</ResponseMetadata>`;
    const { xmlNamespace } = context.shapes ?? {};
    const body = `<${name}Response xmlns="${xmlNamespace ?? ""}">${result}${metadata}</${name}Response>`;
    return reply(200, body, context);
  },
  writeError: (error, context) => {
    const type = xmlElement("Type", error.fault === "client" ? "Sender" : "Receiver");
    const told = `${type}${codeAndMessage(error)}${memberElements(error, context)}`;
    const { xmlNamespace } = context.shapes ?? {};
    const id = xmlElement("RequestId", context.requestId);
    const body = `<ErrorResponse xmlns="${xmlNamespace ?? ""}"><Error>${told}</Error>${id}</ErrorResponse>`;
    return reply(error.status, body, context);
  },
};

const PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** EC2 has the request's id before everything else, no element around the result, and another form of errors. */
export const EC2_QUERY: Protocol = {
  name: "ec2Query",
  errorFamily: "ec2",
  writeOutput: (shape, output, context) => {
    const { name } = shape;
    const members = outputMembers(shape, output, context);
    const result = isVoid(shape) ? xmlElement("return", "true") : members;
    const id = xmlElement("requestId", context.requestId);
    // The model has the namespace without the slash, EC2 with it.
    const xmlns = `${context.shapes?.xmlNamespace ?? ""}/`;
    const body = `${PROLOGUE}<${name}Response xmlns="${xmlns}">${id}${result}</${name}Response>`;
    return reply(200, body, context);
  },
  writeError: (error, context) => {
    const errors = `<Errors><Error>${codeAndMessage(error)}</Error></Errors>`;
    const id = xmlElement("RequestID", context.requestId);
    return reply(error.status, `${PROLOGUE}<Response>${errors}${id}</Response>`, context);
  },
};

function outputMembers(shape: OperationShape, output: unknown, { strict }: ReplyContext): string {
  return writeXmlMembers(shape.output, output, strict, shape.output.name);
}

function isVoid({ output }: OperationShape): boolean {
  return output.name === "Unit";
}

function codeAndMessage({ code, message }: WireError): string {
  return xmlElement("Code", code) + xmlElement("Message", message);
}

function memberElements({ shape, members }: WireError, { strict }: ReplyContext): string {
  return shape === undefined ? "" : writeXmlMembers(shape, members, strict, shape.name);
}

function reply(status: number, body: string, { requestId }: ReplyContext): RawReply {
  return {
    status,
    headers: { "content-type": "text/xml;charset=UTF-8", "x-amzn-requestid": requestId },
    body,
  };
}
