import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { errorOf, ROOT_PRINCIPAL, rawRequest, testGateway, textOf } from "../../test/door-kit.ts";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import { createLog } from "../lib/log.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { Call, Operations, Service } from "./service.ts";

type EcsOperations = Operations<typeof import("@aws-sdk/client-ecs")>;

/** The ECS service with `operations` and nothing else. */
function ecs(operations: EcsOperations): Service {
  return { name: "ecs", operations };
}

/** A ListClusters that answers by `handle`. */
function listClusters(handle: (call: Call) => Promise<object>): Service {
  return ecs({
    ListClusters: {
      support: "full",
      action: "ecs:ListClusters",
      resources: () => ["*"],
      handle: (_input, call) => handle(call),
    },
  });
}

const runTask: Service = ecs({
  RunTask: {
    support: "full",
    action: "ecs:RunTask",
    resources: ({ taskDefinition }) => [`arn:${taskDefinition}`],
    handle: async ({ count = 1 }) => ({
      tasks: [{ taskArn: "arn:1", createdAt: new Date(1500) }],
      failures: [{ reason: `count ${count}` }],
    }),
  },
});

describe("a service that loads late", () => {
  test("is loaded once, by the first of its calls", async () => {
    let loads = 0;
    const load = async (): Promise<Service> => {
      loads++;
      return runTask;
    };
    const gateway = testGateway({ services: [{ name: "ecs", load }] });
    assert.equal(loads, 0);
    const body = '{"taskDefinition":"web"}';
    const replies = await Promise.all(
      Array.from({ length: 3 }, () => gateway.handle(rawRequest({ operation: "RunTask", body }))),
    );
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.equal(loads, 1);
  });

  test("answers 500 when it cannot be loaded, and is tried again by the next call", async () => {
    let isBroken = true;
    const load = async (): Promise<Service> => {
      if (isBroken) throw new Error("no such file");
      return runTask;
    };
    const gateway = testGateway({ services: [{ name: "ecs", load }] });
    const body = '{"taskDefinition":"web"}';
    const call = async (): Promise<number> =>
      (await gateway.handle(rawRequest({ operation: "RunTask", body }))).status;
    assert.equal(await call(), 500);
    isBroken = false;
    assert.equal(await call(), 200);
  });
});

describe("gateway.handle()", () => {
  test("answers in JSON, with times as epoch seconds and the request's id", async () => {
    const body = '{"taskDefinition":"web","count":3,"unheardOf":1,"cluster":null}';
    const reply = await testGateway({ services: [runTask] }).handle(
      rawRequest({ operation: "RunTask", body }),
    );
    assert.equal(reply.status, 200);
    assert.equal(reply.headers["content-type"], "application/x-amz-json-1.1");
    assert.match(reply.headers["x-amzn-requestid"] ?? "", /^[0-9a-f-]{36}$/);
    assert.deepEqual(JSON.parse(textOf(reply)), {
      tasks: [{ taskArn: "arn:1", createdAt: 1.5 }],
      failures: [{ reason: "count 3" }],
    });
  });

  test("passes on what a row expects of callers whose model has more than the published one", async () => {
    let seen: unknown;
    const service = ecs({
      RegisterContainerInstance: {
        support: "full",
        action: "ecs:RegisterContainerInstance",
        resources: () => ["*"],
        unmodelled: ["clientToken", "absent", "number"],
        handle: async (input) => {
          seen = input;
          return {};
        },
      },
    });
    const body = '{"cluster":"demo","clientToken":"t","number":1,"unheardOf":"x"}';
    await testGateway({ services: [service] }).handle(
      rawRequest({ operation: "RegisterContainerInstance", body }),
    );
    assert.deepEqual(seen, { clientToken: "t", cluster: "demo" });
  });

  test("tells the handler who calls, from where and by which address", async () => {
    let seen: Call | undefined;
    const service = listClusters(async (call) => {
      seen = call;
      return {};
    });
    await testGateway({ services: [service] }).handle(rawRequest());
    assert.deepEqual(seen?.principal, ROOT_PRINCIPAL);
    assert.equal(seen?.region, "us-east-1");
    assert.equal(seen?.endpoint, "http://127.0.0.1:4566");
    assert.equal(seen?.sourceIp, "127.0.0.1");
    assert.equal(seen?.signal.aborted, false);
  });

  test("answers 501 NotImplemented, naming it, for an operation that only AWS has", async () => {
    const gateway = testGateway({ services: [runTask] });
    const reply = await gateway.handle(rawRequest({ operation: "CreateTaskSet" }));
    assert.deepEqual(errorOf(reply), {
      status: 501,
      code: "NotImplemented",
      message:
        "Gantry does not implement ecs:CreateTaskSet yet. docs/compatibility.md lists what it does.",
    });
  });

  test("answers 501 and why for an operation that is refused", async () => {
    const refused = ecs({
      ListClusters: {
        support: "refused",
        why: "nobody asked for it",
      },
    });
    const reply = await testGateway({ services: [refused] }).handle(rawRequest());
    assert.equal(errorOf(reply).status, 501);
    assert.match(errorOf(reply).message, /nobody asked for it/);
  });

  test("answers UnknownOperationException for an operation that AWS has not", async () => {
    const gateway = testGateway({ services: [runTask] });
    for (const operation of ["MakeCoffee", "", "constructor", "__proto__"]) {
      const reply = await gateway.handle(rawRequest({ operation }));
      assert.equal(errorOf(reply).code, "UnknownOperationException");
      assert.equal(reply.status, 400);
    }
  });

  test("answers 501 for every operation of a service that only AWS has", async () => {
    const reply = await testGateway({ services: [runTask] }).handle(
      rawRequest({ service: "logs", operation: "DescribeLogGroups" }),
    );
    assert.equal(reply.status, 501);
    assert.equal(
      errorOf(reply).message,
      "Gantry does not implement logs:DescribeLogGroups yet. docs/compatibility.md lists what it does.",
    );
  });

  test("answers UnknownOperationException for a service that nobody has", async () => {
    const headers = { "x-amz-target": "Coffee_20260101.Brew" };
    const reply = await testGateway({ services: [runTask] }).handle(rawRequest({ headers }));
    assert.equal(errorOf(reply).code, "UnknownOperationException");
  });

  test("refuses a signature that is for another service", async () => {
    const raw = rawRequest({
      service: "logs",
      headers: { "x-amz-target": "AmazonEC2ContainerServiceV20141113.RunTask" },
    });
    const reply = await testGateway({ services: [runTask] }).handle(raw);
    assert.deepEqual(errorOf(reply), {
      status: 400,
      code: "InvalidSignatureException",
      message: "Credential should be scoped to correct service: 'ecs'.",
    });
  });

  test("answers the service's own exception for a missing member", async () => {
    const reply = await testGateway({ services: [runTask] }).handle(
      rawRequest({ operation: "RunTask" }),
    );
    assert.equal(errorOf(reply).code, "InvalidParameterException");
    assert.match(errorOf(reply).message, /^1 validation error detected: Value null at/);
  });

  const WRONG_BODIES: readonly (readonly [string, string])[] = [
    ["{", "The request body is not valid JSON"],
    ['{"count":"three"}', "STRING_VALUE can not be converted to an Integer"],
    ['{"count":1.5}', "NUMBER_VALUE can not be converted to an Integer"],
    ['{"count":"NaN"}', "STRING_VALUE can not be converted to an Integer"],
    ['{"taskDefinition":7}', "NUMBER_VALUE can not be converted to a String"],
    ['{"taskDefinition":true}', "TRUE_VALUE can not be converted to a String"],
    ['{"taskDefinition":[]}', "Start of list found where not expected"],
    ['{"taskDefinition":{}}', "Start of structure or map found where not expected."],
    ['{"tags":"x"}', "Expected list or null"],
    ['{"tags":{}}', "Start of structure or map found where not expected."],
    ['{"overrides":1}', "Expected null"],
    ["[]", "Start of list found where not expected"],
  ];
  for (const [body, message] of WRONG_BODIES) {
    test(`answers SerializationException for ${body}`, async () => {
      const reply = await testGateway({ services: [runTask] }).handle(
        rawRequest({ operation: "RunTask", body }),
      );
      assert.deepEqual(errorOf(reply), { status: 400, code: "SerializationException", message });
    });
  }

  test("writes an exception with the members and the status of its shape", async () => {
    const service = listClusters(async () => {
      throw new ApiError("ConflictException", "in use", { members: { resourceIds: ["a"] } });
    });
    const reply = await testGateway({ services: [service] }).handle(rawRequest());
    assert.equal(reply.status, 400);
    assert.deepEqual(JSON.parse(textOf(reply)), {
      __type: "ConflictException",
      resourceIds: ["a"],
      message: "in use",
    });
  });

  test("tells only the request id of an unexpected error, and logs what it was", async () => {
    const lines: string[] = [];
    const log = createLog({
      clock: new VirtualClock(),
      level: "info",
      write: (line) => lines.push(line),
    });
    const service = listClusters(async () => {
      throw new Error("the password is swordfish");
    });
    const reply = await testGateway({ services: [service], log }).handle(rawRequest());
    const requestId = reply.headers["x-amzn-requestid"] ?? "";
    assert.equal(reply.status, 500);
    assert.deepEqual(JSON.parse(textOf(reply)), {
      __type: "ServerException",
      message: `Internal error. Request id: ${requestId}`,
    });
    assert.match(lines.join(""), /swordfish/);
    assert.ok(lines.join("").includes(requestId));
  });

  test("answers what SDKs and agents retry when something we need cannot be reached", async () => {
    const handle = async (): Promise<never> => {
      throw new UnavailableError("disk full");
    };
    const reply = await testGateway({ services: [listClusters(handle)] }).handle(rawRequest());
    assert.deepEqual([errorOf(reply).status, errorOf(reply).code], [500, "ServerException"]);
    const row = { support: "full", action: "logs:x", resources: () => ["*"], handle } as const;
    const logs: Service = { name: "logs", operations: { DescribeLogGroups: row } };
    const other = await testGateway({ services: [logs] }).handle(
      rawRequest({ service: "logs", operation: "DescribeLogGroups" }),
    );
    assert.deepEqual(
      [errorOf(other).status, errorOf(other).code],
      [503, "ServiceUnavailableException"],
    );
  });

  test("says once a second what fails alike in every call, and how often it did", async () => {
    const lines: string[] = [];
    const clock = new VirtualClock(Date.UTC(2026, 0, 2, 12));
    const log = createLog({ clock, level: "warn", write: (line) => lines.push(line) });
    const service = listClusters(async () => {
      throw new UnavailableError("disk full");
    });
    const gateway = testGateway({ services: [service], clock, log });
    const call = () => gateway.handle(rawRequest({ now: clock.now() }));
    for (let calls = 0; calls < 3; calls += 1) await call();
    await clock.advance(1_000);
    await call();
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? "", /unavailable .*error="disk full"\n$/);
    assert.match(lines[1] ?? "", /error="disk full" leftOut=2\n$/);
  });

  test("leaves out members that the schema does not know; in strict mode they fail", async () => {
    const service = listClusters(async () => ({ clusterArns: [], secret: 1 }));
    const lenient = testGateway({ services: [service], strict: false });
    assert.equal((await lenient.handle(rawRequest())).body, '{"clusterArns":[]}');
    const strict = testGateway({ services: [service], strict: true });
    assert.equal((await strict.handle(rawRequest())).status, 500);
  });

  test("never lets out a value that is not of the schema's kind", async () => {
    const service = listClusters(async () => ({ clusterArns: "arn" }));
    const reply = await testGateway({ services: [service], strict: false }).handle(rawRequest());
    assert.equal(reply.status, 500);
  });

  test("unpacks gzip, to a limit", async () => {
    const gateway = testGateway({ services: [runTask] });
    const send = (body: Uint8Array, encoding = "gzip") =>
      gateway.handle(
        rawRequest({ operation: "RunTask", body, headers: { "content-encoding": encoding } }),
      );
    assert.equal((await send(gzipSync('{"taskDefinition":"web"}'))).status, 200);
    assert.equal((await send(gzipSync(Buffer.alloc(17 * 1024 * 1024)))).status, 413);
    assert.equal(errorOf(await send(Buffer.from("no gzip"))).code, "SerializationException");
    assert.equal(errorOf(await send(Buffer.from("{}"), "br")).code, "SerializationException");
  });

  test("does not look at the body of a caller it does not know", async () => {
    const raw = rawRequest({ operation: "RunTask", body: "{" });
    const { authorization: _, ...headers } = raw.headers;
    const reply = await testGateway({ services: [runTask] }).handle({ ...raw, headers });
    assert.equal(errorOf(reply).code, "MissingAuthenticationTokenException");
  });
});

test("Operations<> gives handlers the exact types of the SDK", () => {
  type Row = NonNullable<EcsOperations["DescribeClusters"]>;
  // @ts-expect-error: there is no such member of the input
  const resources: Row["resources"] = ({ clutser }) => [clutser];
  // @ts-expect-error: clusters is a list
  const handle: Row["handle"] = async ({ clusters = [] }) => ({ clusters: clusters.length });
  // @ts-expect-error: there is no such operation
  const operations: EcsOperations = { MakeCoffee: undefined };
  assert.equal(typeof resources, "function");
  assert.equal(typeof handle, "function");
  assert.equal(typeof operations, "object");
});
