/** Every operation of every service through Debian's botocore and HTTP: another reading of the same protocols. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadShapes, SERVICE_TABLE } from "../../src/door/service-table.ts";
import {
  type Echo,
  echoService,
  plain,
  ROOT_KEY,
  startDoor,
  UNSIGNED_OPERATIONS,
} from "../door-kit.ts";
import { PYTHON, skipWithoutBotocore as skip } from "./botocore-kit.ts";

const CLIENT = fileURLToPath(new URL("botocore_client.py", import.meta.url));

/** One line of the client's. */
interface Line {
  readonly version?: string;
  readonly service: string;
  readonly operation: string;
  readonly input: unknown;
  readonly output: unknown;
  readonly received?: unknown;
  readonly error?: string;
}

test("every operation that botocore has goes through the door and back unchanged", {
  skip,
}, async (t) => {
  const echoes = new Map(SERVICE_TABLE.map(({ name }) => [name, echoService(name, true)]));
  await using door = await startDoor({
    services: [...echoes.values()].map((echo) => echo.service),
  });
  const python = spawn(PYTHON, [CLIENT], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Line | undefined> => {
    const { value, done } = await lines.next();
    return done === true ? undefined : JSON.parse(value);
  };
  const say = (message: string): boolean => python.stdin.write(`${message}\n`);
  const services = Object.fromEntries(
    SERVICE_TABLE.map(({ name }) => [
      name,
      loadShapes(name)
        .operationNames()
        .filter((operation) => !UNSIGNED_OPERATIONS.has(operation)),
    ]),
  );
  const seed = Number(process.env.SEED ?? Math.floor(performance.timeOrigin));
  say(JSON.stringify({ endpoint: door.url, seed, ...ROOT_KEY, services }));
  t.diagnostic(`botocore ${(await next())?.version}, seed ${seed}`);
  const failures: string[] = [];
  let count = 0;
  for (let planned = await next(); planned !== undefined; planned = await next()) {
    const echo = echoes.get(planned.service) ?? assert.fail();
    const failure = await roundTrip(echo, planned, say, next);
    count += 1;
    if (failure !== undefined) {
      failures.push(`${planned.service} ${planned.operation}: ${failure}`);
    }
  }
  t.diagnostic(`${count} operations`);
  assert.deepEqual(failures, []);
  assert.ok(count > 900, `only ${count} operations were called`);
});

async function roundTrip(
  echo: Echo,
  planned: Line,
  say: (message: string) => void,
  next: () => Promise<Line | undefined>,
): Promise<string | undefined> {
  echo.input = undefined;
  echo.output = decode(planned.output);
  say("");
  const answer = await next();
  if (answer?.error !== undefined) return answer.error;
  try {
    assert.deepEqual(plain(echo.input), plain(decode(planned.input)), "input");
    assert.deepEqual(plain(decode(answer?.received)), plain(decode(planned.output)), "output");
    return undefined;
  } catch (error) {
    return String(error);
  }
}

function decode(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(decode);
  const { $time, $bytes } = value as { $time?: number; $bytes?: string };
  if ($time !== undefined) return new Date($time);
  if ($bytes !== undefined) return Buffer.from($bytes, "hex");
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, decode(element)]));
}
