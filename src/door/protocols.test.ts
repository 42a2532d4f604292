/** What callers of each protocol see: above all its errors, which are each protocol's own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import {
  type DoorOptions,
  errorOf,
  presignedRequest,
  type SignedRequest,
  signedRequest,
  testGateway,
  textOf,
} from "../../test/door-kit.ts";
import { ApiError } from "../lib/errors.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { RawReply } from "./raw.ts";
import type { Operation, Service } from "./service.ts";
import { decodeCbor, encodeCbor } from "./wire/cbor.ts";

/** A service with one operation. */
function serving(
  name: string,
  operation: string,
  handle: (input: Record<string, unknown>) => unknown,
): Service {
  const row: Operation<Record<string, unknown>> = {
    support: "full",
    action: `${name}:${operation}`,
    resources: () => ["*"],
    handle: async (input) => handle(input),
  };
  return { name, operations: { [operation]: row } };
}

function call(
  service: Service,
  request: SignedRequest,
  options: DoorOptions = {},
): Promise<RawReply> {
  return testGateway({ services: [service], ...options }).handle(signedRequest(request));
}

const nothing = { elb: serving("elbv2", "DescribeLoadBalancers", () => ({})) };
const form = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
const ID = /[0-9a-f-]{36}/;

describe("awsQuery", () => {
  const elb = (query: string, service = nothing.elb): Promise<RawReply> =>
    call(service, { service: "elasticloadbalancing", headers: form, body: query });

  test("reads lists by number and answers XML with the request's id", async () => {
    let seen: unknown;
    const service = serving("elbv2", "DescribeLoadBalancers", (input) => {
      seen = input;
      return { LoadBalancers: [{ LoadBalancerName: "a<b" }], NextMarker: "m" };
    });
    const reply = await elb(
      "Action=DescribeLoadBalancers&Version=2015-12-01&Names.member.10=j&Names.member.2=b+c&PageSize=5",
      service,
    );
    assert.deepEqual(seen, { Names: ["b c", "j"], PageSize: 5 });
    assert.match(reply.headers["content-type"] ?? "", /^text\/xml/);
    const id = reply.headers["x-amzn-requestid"];
    assert.equal(
      textOf(reply),
      '<DescribeLoadBalancersResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">' +
        "<DescribeLoadBalancersResult><LoadBalancers><member><LoadBalancerName>a&lt;b</LoadBalancerName></member>" +
        "</LoadBalancers><NextMarker>m</NextMarker></DescribeLoadBalancersResult>" +
        `<ResponseMetadata><RequestId>${id}</RequestId></ResponseMetadata></DescribeLoadBalancersResponse>`,
    );
  });

  test("an operation without output has no result, and an empty list is written", async () => {
    const tags = serving("iam", "TagRole", () => ({}));
    const body = "Action=TagRole&Version=2010-05-08&RoleName=r&Tags=";
    const reply = await call(tags, { service: "iam", headers: form, body });
    assert.doesNotMatch(textOf(reply), /Result/);
    const empty = serving("elbv2", "DescribeLoadBalancers", () => ({ LoadBalancers: [] }));
    assert.match(
      textOf(await elb("Action=DescribeLoadBalancers", empty)),
      /<LoadBalancers><\/LoadBalancers>/,
    );
  });

  test("an exception has the code and status of the query protocol, which differ from its name", async () => {
    const service = serving("elbv2", "DescribeLoadBalancers", () => {
      throw new ApiError("LoadBalancerNotFoundException", "One or more not found");
    });
    const reply = await elb("Action=DescribeLoadBalancers&Version=2015-12-01", service);
    assert.equal(reply.status, 400);
    assert.match(
      textOf(reply),
      /<ErrorResponse xmlns="[^"]+"><Error><Type>Sender<\/Type><Code>LoadBalancerNotFound<\/Code><Message>One or more not found<\/Message><\/Error><RequestId>[0-9a-f-]{36}<\/RequestId><\/ErrorResponse>/,
    );
  });

  const CASES: readonly (readonly [string, string, number, string])[] = [
    ["another version", "Action=DescribeLoadBalancers&Version=2012-06-01", 400, "InvalidAction"],
    ["an unknown action", "Action=Brew&Version=2015-12-01", 400, "InvalidAction"],
    ["no action", "Version=2015-12-01", 400, "InvalidAction"],
    ["an action that only AWS has", "Action=CreateRule", 501, "NotImplemented"],
    ["a missing member", "Action=DescribeTags", 400, "ValidationError"],
    ["a wrong number", "Action=DescribeLoadBalancers&PageSize=ten", 400, "MalformedInput"],
    ["half a number", "Action=DescribeLoadBalancers&PageSize=1.5", 400, "MalformedInput"],
    ["half an escape", "Action=DescribeLoadBalancers&Marker=%E0", 400, "MalformedInput"],
    ["two values", "Action=DescribeLoadBalancers&Marker=a&Marker=b", 400, "MalformedInput"],
    ["a list that is none", "Action=DescribeLoadBalancers&Names=a", 400, "MalformedInput"],
    [
      "an index that is none",
      "Action=DescribeLoadBalancers&Names.member.x=a",
      400,
      "MalformedInput",
    ],
  ];
  for (const [what, body, status, code] of CASES) {
    test(`answers ${code} to ${what}`, async () => {
      const service: Service = {
        name: "elbv2",
        operations: {
          ...nothing.elb.operations,
          ...serving("elbv2", "DescribeTags", () => ({})).operations,
        },
      };
      const reply = await elb(body, service);
      assert.equal(reply.status, status);
      assert.match(textOf(reply), new RegExp(`<Code>${code}</Code>`));
    });
  }

  test("answers by its own names to callers it does not know, and 403", async () => {
    const request = { service: "iam", headers: form, body: "Action=ListUsers&Version=2010-05-08" };
    const unknown = { accessKeyId: "AKIAOTHER", secretAccessKey: "x" };
    const cases = [
      [await call(nothing.elb, { ...request, credentials: unknown }), "InvalidClientTokenId"],
      [await call(nothing.elb, { ...request, now: 0 }), "SignatureDoesNotMatch"],
    ] as const;
    for (const [reply, code] of cases) {
      assert.equal(reply.status, 403);
      assert.match(textOf(reply), new RegExp(`<Code>${code}</Code>`));
    }
    const raw = signedRequest(request);
    const { authorization: _, ...headers } = raw.headers;
    const reply = await testGateway().handle({ ...raw, headers });
    assert.equal(reply.status, 403);
    assert.match(textOf(reply), /<Code>MissingAuthenticationToken<\/Code>/);
  });

  test("a permission that is missing is AccessDenied, and a failure the service's own", async () => {
    const denied = await call(
      serving("iam", "ListUsers", () => ({})),
      { service: "iam", headers: form, body: "Action=ListUsers" },
      { authorize: () => ({ allowed: false, message: "you may not", details: () => "{}" }) },
    );
    assert.equal(denied.status, 403);
    assert.match(textOf(denied), /<Code>AccessDenied<\/Code>/);
    const failed = await call(
      serving("iam", "ListUsers", () => assert.fail()),
      { service: "iam", headers: form, body: "Action=ListUsers" },
    );
    assert.equal(failed.status, 500);
    assert.match(textOf(failed), /<Type>Receiver<\/Type><Code>ServiceFailure<\/Code>/);
  });

  test("a presigned GET and a presigned POST carry their parameters in the URL", async () => {
    const sts = serving("sts", "GetCallerIdentity", () => ({ Account: "1" }));
    for (const method of ["GET", "POST"]) {
      const now = Date.UTC(2026, 0, 1);
      const raw = presignedRequest({ now, expiresSeconds: 60, service: "sts", method });
      const gateway = testGateway({ services: [sts], clock: new VirtualClock(now) });
      const reply = await gateway.handle({ ...raw, headers: { ...raw.headers, ...form } });
      assert.equal(reply.status, 200, textOf(reply));
      assert.match(textOf(reply), /<Account>1<\/Account>/);
    }
  });

  test("a form is unpacked before it is routed", async () => {
    const cloudwatch = serving("cloudwatch", "PutMetricData", () => ({}));
    const body = gzipSync("Action=PutMetricData&Version=2010-08-01&Namespace=n");
    const headers = { ...form, "content-encoding": "gzip" };
    const reply = await call(cloudwatch, { service: "monitoring", headers, body });
    assert.equal(reply.status, 200, textOf(reply));
  });
});

describe("ec2Query", () => {
  const ec2 = (
    operation: string,
    handle: (input: Record<string, unknown>) => unknown,
    body: string,
  ): Promise<RawReply> =>
    call(serving("ec2", operation, handle), { service: "ec2", headers: form, body });

  test("reads flat lists under capitalised names; the request's id comes first", async () => {
    let seen: unknown;
    const reply = await ec2(
      "DescribeVpcs",
      (input) => {
        seen = input;
        return { Vpcs: [{ VpcId: "vpc-1", IsDefault: true }] };
      },
      "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=isDefault&Filter.1.Value.1=true&VpcId.1=vpc-1",
    );
    assert.deepEqual(seen, {
      Filters: [{ Name: "isDefault", Values: ["true"] }],
      VpcIds: ["vpc-1"],
    });
    assert.match(
      textOf(reply),
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<DescribeVpcsResponse xmlns="http:\/\/ec2.amazonaws.com\/doc\/2016-11-15\/"><requestId>[0-9a-f-]{36}<\/requestId><vpcSet><item>/,
    );
  });

  test("an operation without output returns true", async () => {
    const body = "Action=DeleteVpc&Version=2016-11-15&VpcId=v";
    const reply = await ec2("DeleteVpc", () => ({}), body);
    assert.match(textOf(reply), /<\/requestId><return>true<\/return><\/DeleteVpcResponse>$/);
  });

  const CASES: readonly (readonly [string, string, number, string])[] = [
    ["a missing parameter", "Action=DeleteVpc", 400, "MissingParameter"],
    ["an unknown action", "Action=Brew", 400, "InvalidAction"],
    ["an action whose shapes are not kept", "Action=CreateFleet", 501, "NotImplemented"],
    [
      "a value outside its enum",
      "Action=DeleteVpc&VpcId=v&DryRun=maybe",
      400,
      "InvalidParameterValue",
    ],
  ];
  for (const [what, body, status, code] of CASES) {
    test(`answers ${code} to ${what}`, async () => {
      const reply = await ec2("DeleteVpc", () => assert.fail(), body);
      assert.equal(reply.status, status);
      assert.match(
        textOf(reply),
        new RegExp(
          `<Response><Errors><Error><Code>${code}</Code><Message>.+</Message></Error></Errors>`,
        ),
      );
      assert.match(textOf(reply), /<RequestID>[0-9a-f-]{36}<\/RequestID><\/Response>$/);
    });
  }

  test("its own codes are unmodelled and go out as they are", async () => {
    const reply = await ec2(
      "DeleteVpc",
      () => {
        throw new ApiError("InvalidVpcID.NotFound", "The vpc ID 'v' does not exist");
      },
      "Action=DeleteVpc&VpcId=v",
    );
    assert.equal(reply.status, 400);
    assert.match(textOf(reply), /<Code>InvalidVpcID.NotFound<\/Code>/);
  });
});

describe("restJson1", () => {
  const mesh = (
    operation: string,
    handle: (input: Record<string, unknown>) => unknown,
    request: Omit<SignedRequest, "service">,
  ): Promise<RawReply> =>
    call(serving("appmesh", operation, handle), { service: "appmesh", ...request });

  test("takes its input from path, query and body, and answers the payload alone", async () => {
    let seen: unknown;
    const target = "/v20190125/meshes/a%2Fb/virtualNodes?limit=3&nextToken=x%20y";
    const reply = await mesh(
      "ListVirtualNodes",
      (input) => {
        seen = input;
        return { virtualNodes: [] };
      },
      { method: "GET", target, body: "" },
    );
    assert.deepEqual(seen, { meshName: "a/b", limit: 3, nextToken: "x y" });
    assert.deepEqual(JSON.parse(textOf(reply)), { virtualNodes: [] });
    const created = await mesh("CreateMesh", ({ meshName }) => ({ mesh: { meshName } }), {
      method: "PUT",
      target: "/v20190125/meshes",
      body: '{"meshName":"m"}',
    });
    assert.deepEqual(JSON.parse(textOf(created)), { meshName: "m" });
  });

  test("names the error in a header, with the status of its shape", async () => {
    const reply = await mesh(
      "DescribeMesh",
      () => {
        throw new ApiError("NotFoundException", "no such mesh");
      },
      { method: "GET", target: "/v20190125/meshes/m", body: "" },
    );
    assert.equal(reply.status, 404);
    assert.equal(reply.headers["x-amzn-errortype"], "NotFoundException");
    assert.match(reply.headers["x-amzn-requestid"] ?? "", ID);
    assert.deepEqual(JSON.parse(textOf(reply)), { message: "no such mesh" });
  });

  const CASES: readonly (readonly [string, string, string, string, number, string])[] = [
    ["an unknown path", "GET", "/v20190125/coffee", "", 404, "UnknownOperationException"],
    ["an empty label", "GET", "/v20190125/meshes/", "", 404, "UnknownOperationException"],
    ["half an escape", "GET", "/v20190125/meshes/%E0", "", 400, "SerializationException"],
    ["what only AWS has", "DELETE", "/v20190125/meshes/m", "", 501, "NotImplemented"],
    ["a body that is no JSON", "PUT", "/v20190125/meshes", "{", 400, "SerializationException"],
    ["a missing member", "PUT", "/v20190125/meshes", "{}", 400, "BadRequestException"],
  ];
  for (const [what, method, target, body, status, code] of CASES) {
    test(`answers ${code} to ${what}`, async () => {
      const reply = await mesh("CreateMesh", () => assert.fail(), { method, target, body });
      assert.equal(reply.status, status, textOf(reply));
      assert.equal(reply.headers["x-amzn-errortype"], code);
    });
  }

  test("answers 403 to a caller it does not know", async () => {
    const credentials = { accessKeyId: "AKIAOTHER", secretAccessKey: "x" };
    const request = { method: "GET", target: "/v20190125/meshes", body: "", credentials };
    const reply = await mesh("ListMeshes", () => assert.fail(), request);
    assert.equal(reply.status, 403);
    assert.equal(reply.headers["x-amzn-errortype"], "UnrecognizedClientException");
  });
});

describe("rpcv2Cbor, and errors for clients of the former query protocol", () => {
  const notFound = serving("cloudwatch", "DeleteDashboards", () => {
    throw new ApiError("DashboardNotFoundError", "no such dashboard");
  });
  const cbor = { "smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor" };
  const target = "/service/GraniteServiceVersion20100801/operation/DeleteDashboards";
  const body = encodeCbor({ DashboardNames: [] });

  test("an error is CBOR with the full name of its shape", async () => {
    const reply = await call(notFound, { service: "monitoring", headers: cbor, target, body });
    assert.equal(reply.status, 404);
    assert.equal(reply.headers["smithy-protocol"], "rpc-v2-cbor");
    assert.deepEqual(
      { ...(decodeCbor(Buffer.from(reply.body)) as object) },
      { __type: "com.amazonaws.cloudwatch#DashboardNotFoundError", message: "no such dashboard" },
    );
    assert.equal(reply.headers["x-amzn-query-error"], undefined);
  });

  test("a caller in query mode is told the code of old, in JSON and in CBOR", async () => {
    const mode = { "x-amzn-query-mode": "true" };
    const requests = [
      { headers: { ...cbor, ...mode }, target, body },
      {
        headers: {
          ...mode,
          "content-type": "application/x-amz-json-1.0",
          "x-amz-target": "GraniteServiceVersion20100801.DeleteDashboards",
        },
        body: '{"DashboardNames":[]}',
      },
    ];
    for (const request of requests) {
      const reply = await call(notFound, { service: "monitoring", ...request });
      assert.equal(reply.headers["x-amzn-query-error"], "ResourceNotFound;Sender");
    }
  });

  test("awsJson 1.0 answers as such", async () => {
    const headers = {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "GraniteServiceVersion20100801.DeleteDashboards",
    };
    const request = { service: "monitoring", headers, body: '{"DashboardNames":[]}' };
    const reply = await call(notFound, request);
    assert.equal(reply.headers["content-type"], "application/x-amz-json-1.0");
    assert.equal(errorOf(reply).code, "com.amazonaws.cloudwatch#DashboardNotFoundError");
  });

  test("a service that does not speak CBOR says so in CBOR", async () => {
    const path = "/service/AmazonEC2ContainerServiceV20141113/operation/ListClusters";
    const request = { service: "ecs", headers: cbor, target: path, body: encodeCbor({}) };
    const reply = await call(notFound, request);
    assert.equal(reply.status, 400);
    assert.equal(reply.headers["content-type"], "application/cbor");
  });
});
