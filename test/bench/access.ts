/** What it costs that policies decide: CPU of one decision, and the door with a user's key beside root's. */
import type { AccessRequest } from "../../src/door/authorize.ts";
import { ACCOUNT_ID, ROOT_KEY } from "../door-kit.ts";
import { openAccess, POLICIES, STATEMENTS, USER, USER_KEY } from "./access-world.ts";
import { type DoorFigure, measureKeys } from "./door.ts";

const CALLS = 50_000;
const ROUNDS = 5;

/** Prints both. */
export async function measureAccess(): Promise<void> {
  console.log(
    `\nOne call of a user with ${POLICIES} policies of ${STATEMENTS} statements, CPU µs (median)`,
  );
  for (const withConditions of [false, true]) {
    const name = withConditions ? "each with two conditions" : "by action and resource";
    const micros = await timeDecision(withConditions);
    console.log(`  ${name.padEnd(43)}${micros.toFixed(2).padStart(7)}`);
  }
  const [root, user] = await measureKeys([ROOT_KEY, USER_KEY]);
  console.log("\nDescribeClusters through the door, requests per second / CPU µs per request");
  for (const [name, figure] of [
    ["root's key", root],
    ["the key of that user", user],
  ] as const) {
    console.log(`  ${name.padEnd(43)}${format(figure)}`);
  }
  const ratio = (user?.requestsPerSecond ?? 0) / (root?.requestsPerSecond ?? 1);
  console.log(`  ${"ratio".padEnd(43)}${ratio.toFixed(2)}`);
}

async function timeDecision(withConditions: boolean): Promise<number> {
  const { authorize } = await openAccess({ withConditions });
  const request: AccessRequest = {
    principal: USER,
    action: "ecs:DescribeClusters",
    resources: [`arn:aws:ecs:us-east-1:${ACCOUNT_ID}:cluster/demo`],
    origin: { region: "us-east-1", sourceIp: "10.0.0.1", userAgent: "bench", isSecure: false },
    conditionsOf: () => ({ "ecs:cluster": "demo" }),
  };
  if (!authorize(request).allowed) throw new Error("the bench's user is refused");
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let call = 0; call < CALLS; call += 1) authorize(request);
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / CALLS);
  }
  // The first warms up.
  const sorted = rounds.slice(1).sort((a, b) => a - b);
  return sorted[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

function format(figure: DoorFigure | undefined): string {
  const { requestsPerSecond = Number.NaN, cpuMicrosPerRequest = Number.NaN } = figure ?? {};
  return `${requestsPerSecond.toFixed(0).padStart(7)} /${cpuMicrosPerRequest.toFixed(0).padStart(5)}`;
}

if (import.meta.main) await measureAccess();
