/** One task after the other: RunTask to RUNNING, beside the same container by a bare containerd client. */
import { setTimeout as delay } from "node:timers/promises";
import { skipReason } from "../e2e/gantry-kit.ts";
import { BareClient } from "./bare-client.ts";
import { Fleet, IMAGE_NAME } from "./fleet.ts";
import { format, row, summarise } from "./summary.ts";

const ROUNDS = 15;
/** About a hundredth of what is measured. */
const PAUSE_MS = 5;
/** Of the quickest start yet, how much passes before anybody asks: to be asked is work, and shares the machine with the start. */
const QUIET_SHARE = 0.75;
/** Before each start: what the one before has left to be removed is gone. */
const SETTLE_MS = 500;

/** Prints both launch types: on FARGATE a task has a disk of its own. */
export async function measureTasks(): Promise<void> {
  const reason = await skipReason();
  if (reason !== false) {
    console.log(`tasks cannot be measured here: ${reason}`);
    return;
  }
  await using fleet = await Fleet.open();
  await using bare = await BareClient.open(fleet.gantry.directory, IMAGE_NAME);
  const ec2: number[] = [];
  const fargate: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ec2.push(await timeTask(fleet, "bench-awsvpc", ec2));
    floor.push(await timeBareContainer(bare));
    fargate.push(await timeTask(fleet, "bench-fargate", fargate));
  }
  const own = [summarise(ec2), summarise(fargate), summarise(floor)] as const;
  console.log("\nRunTask request to RUNNING, awsvpc, image present, ms (median / best / p90)");
  row("EC2", format(own[0]));
  row("FARGATE, with a disk of its own", format(own[1]));
  row("the same container, bare containerd client", format(own[2]));
  for (const [at, name] of ["EC2", "FARGATE"].entries()) {
    const [ours, least] = [own[at as 0 | 1], own[2]];
    const ratios = [ours.median / least.median, ours.best / least.best];
    row(
      `${name}: ratio of medians / of the best`,
      ratios.map((each) => each.toFixed(2)).join(" / "),
    );
  }
}

/** `before`: what earlier starts took. */
async function timeTask(fleet: Fleet, family: string, before: readonly number[]): Promise<number> {
  await delay(SETTLE_MS);
  const quietMs = before.length === 0 ? 0 : Math.min(...before) * QUIET_SHARE;
  const startedAt = performance.now();
  const arns = await fleet.launch(family, 1);
  await delay(Math.max(0, quietMs - (performance.now() - startedAt)));
  await fleet.reach(arns, "RUNNING", PAUSE_MS);
  const elapsedMs = performance.now() - startedAt;
  await fleet.stop(arns);
  return elapsedMs;
}

async function timeBareContainer(bare: BareClient): Promise<number> {
  await delay(SETTLE_MS);
  const startedAt = performance.now();
  const id = await bare.start();
  const elapsedMs = performance.now() - startedAt;
  await bare.remove(id);
  return elapsedMs;
}
