/** Every operation of every service in every protocol: SDK → door → handler → door → SDK, with values from the shapes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { loadShapes, SERVICE_TABLE } from "../../src/door/service-table.ts";
import type { ProtocolName } from "../../src/door/wire/protocol.ts";
import { echoService, plain, testGateway, UNSIGNED_OPERATIONS } from "../door-kit.ts";
import { sdkSender } from "../sdk-client.ts";
import { type ValueOptions, valuesOf } from "../shape-values.ts";

const RUNS_PER_OPERATION = 2;

for (const { name, protocols } of SERVICE_TABLE) {
  for (const protocol of protocols) {
    test(`every operation of ${name} goes through ${protocol} and back unchanged`, async () => {
      const echo = echoService(name);
      const gateway = testGateway({ services: [echo.service] });
      const isOwn = protocol === protocols[0];
      const send = await sdkSender(gateway, name, isOwn ? undefined : protocol);
      const shapes = loadShapes(name);
      for (const operation of shapes.operationNames()) {
        const shape = shapes.operation(operation) ?? assert.fail();
        if (shape.eventStream !== undefined || UNSIGNED_OPERATIONS.has(operation)) continue;
        const input = valuesOf(shape.input, inputOptions(protocol));
        const output = valuesOf(shape.output, outputOptions(protocol));
        await fc.assert(
          fc.asyncProperty(input, output, async (sent, answered) => {
            echo.output = answered;
            const received = await send(operation, sent);
            assert.deepEqual(plain(echo.input), plain(sent), `input of ${operation}`);
            assert.deepEqual(plain(received), plain(answered), `output of ${operation}`);
          }),
          { numRuns: RUNS_PER_OPERATION },
        );
      }
    });
  }
}

function inputOptions(protocol: ProtocolName): ValueOptions {
  // Of an event bus's endpoint the SDK makes another host, and signs for all regions.
  const without = ["EndpointId"];
  if (protocol === "awsQuery") return { within: "query" };
  return protocol === "ec2Query" ? { within: "ec2" } : { within: "sdk", without };
}

function outputOptions(protocol: ProtocolName): ValueOptions {
  const isXml = protocol === "awsQuery" || protocol === "ec2Query";
  return { within: isXml ? "xml" : "sdk" };
}
