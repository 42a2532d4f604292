/** Every operation of every service: SDK client → door → handler → door → SDK client, with values from the shapes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as logsSdk from "@aws-sdk/client-cloudwatch-logs";
import * as ecsSdk from "@aws-sdk/client-ecs";
import fc from "fast-check";
import type { Operation, Service } from "../../src/door/service.ts";
import { loadShapes } from "../../src/door/service-table.ts";
import type { OperationShape } from "../../src/door/shape.ts";
import { startDoor } from "../door-kit.ts";
import { valuesOf } from "../shape-values.ts";

const RUNS_PER_OPERATION = 4;

const SERVICES = [
  { name: "ecs", sdk: ecsSdk },
  { name: "logs", sdk: logsSdk },
] as const;

/** Event streams, which the door does not speak. */
const STREAMING = new Set(["GetLogObject", "StartLiveTail"]);

interface Echo {
  readonly service: Service;
  /** What the next call is answered with, and what it brought. */
  output: unknown;
  input: unknown;
}

/** A service in which every operation notes its input and answers what it was told to. */
function echoService(name: string): Echo {
  const operation: Operation<unknown> = {
    support: "full",
    action: `${name}:Any`,
    resources: () => ["*"],
    handle: async (input) => {
      echo.input = input;
      return echo.output;
    },
  };
  const names = loadShapes(name).operationNames();
  const operations = Object.fromEntries(names.map((each) => [each, operation]));
  const echo: Echo = { service: { name, operations }, output: undefined, input: undefined };
  return echo;
}

for (const { name, sdk } of SERVICES) {
  test(`every operation of ${name} carries its input and its output unchanged`, async (t) => {
    const echo = echoService(name);
    await using door = await startDoor({ services: [echo.service] });
    const shapes = loadShapes(name);
    const send = clientOf(name === "ecs" ? door.ecs : door.logs, sdk);
    for (const operation of shapes.operationNames()) {
      if (STREAMING.has(operation)) {
        t.diagnostic(`${operation} is an event stream: not spoken yet`);
        continue;
      }
      const shape = shapes.operation(operation) ?? assert.fail();
      await fc.assert(
        fc.asyncProperty(...inputAndOutput(shape), async (input, output) => {
          echo.output = output;
          const answer = await send(operation, input);
          assert.deepEqual(plain(echo.input), plain(input));
          assert.deepEqual(plain(answer), plain(output));
        }),
        { numRuns: RUNS_PER_OPERATION },
      );
    }
  });
}

type Value = Record<string, unknown>;

function inputAndOutput(shape: OperationShape): [fc.Arbitrary<Value>, fc.Arbitrary<Value>] {
  return [valuesOf(shape.input, { hostile: false }), valuesOf(shape.output, { hostile: false })];
}

/** Calls an operation by name: the one place where the SDK's types are left. */
function clientOf(
  client: object,
  sdk: object,
): (operation: string, input: Value) => Promise<unknown> {
  const { send } = client as { send(command: object): Promise<Value> };
  const commands = sdk as Record<string, new (input: Value) => object>;
  return async (operation, input) => {
    const Command = commands[`${operation}Command`] ?? assert.fail(`no command ${operation}`);
    const { $metadata: _, ...output } = await send.call(client, new Command(input));
    return output;
  };
}

/** Prototypes and the class of byte arrays are not part of the value. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Date || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, plain(element)]));
}
