/** Many tasks at once: Gantry, a bare containerd client at its best concurrency, and Docker Swarm, in turns. */
import { rmSync } from "node:fs";
import { skipReason } from "../e2e/gantry-kit.ts";
import { BareClient } from "./bare-client.ts";
import { Fleet, IMAGE, IMAGE_NAME, MEMORY_MIB, writeImage } from "./fleet.ts";
import { row, summarise } from "./summary.ts";
import { Swarm } from "./swarm.ts";

const CONCURRENCIES = [1, 2, 4, 8];
/** Often enough to see the last one run, and no work that counts for the asked. */
const PAUSE_MS = 50;
/**
 * Tasks at once. Round follows round until there were enough, or until `begunMs` have passed: on a machine with other work one
 * round of a hundred takes minutes, and each is by itself the mean of a hundred starts.
 */
const BURSTS = [
  { size: 20, rounds: 3, begunMs: 90_000 },
  { size: 100, rounds: 2, begunMs: 60_000 },
] as const;
/** Tasks that each way starts unmeasured first: code that nothing has run yet costs twice. */
const WARM_UP_SIZE = 8;
/** The peer takes long, and is compared by a factor of two. */
const SWARM_ROUNDS = 1;

const FAMILIES = ["bench-awsvpc", "bench-bridge"] as const;
const AWSVPC = "Gantry, awsvpc";
const BRIDGE = "Gantry, bridge";
const SWARM = "Docker Swarm, service create --replicas";

/** By contender, how long each of its bursts took, in ms. */
type Times = Map<string, number[]>;
/** Takes a burst of so many up and down again, and returns how long the way up took, in ms. */
type Contender = (size: number) => Promise<number>;

/** Prints tasks per second of each. */
export async function measureBursts(): Promise<void> {
  const reason = await skipReason();
  if (reason !== false) {
    console.log(`burst cannot be measured here: ${reason}`);
    return;
  }
  await using fleet = await Fleet.open();
  await using bare = await BareClient.open(fleet.gantry.directory, IMAGE_NAME);
  const archive = await writeImage();
  const opened = await Swarm.open(archive);
  rmSync(archive);
  await using swarm = typeof opened === "string" ? undefined : opened;
  if (typeof opened === "string") console.log(`no Docker Swarm to compare with: ${opened}`);

  for (const family of FAMILIES) await timeTasks(fleet, family, WARM_UP_SIZE);
  await timeBare(bare, WARM_UP_SIZE, Math.max(...CONCURRENCIES));
  let concurrencies: readonly number[] = CONCURRENCIES;
  for (const burst of BURSTS) {
    const contenders = new Map<string, Contender>([
      [AWSVPC, (count) => timeTasks(fleet, FAMILIES[0], count)],
      [BRIDGE, (count) => timeTasks(fleet, FAMILIES[1], count)],
    ]);
    for (const concurrency of concurrencies)
      contenders.set(bareName(concurrency), (count) => timeBare(bare, count, concurrency));
    if (swarm) contenders.set(SWARM, (count) => swarm.time(IMAGE, count, MEMORY_MIB * 2 ** 20));
    const times = await inTurns(contenders, burst);
    const best = concurrencies.toSorted(
      (a, b) => medianMs(times, bareName(a)) - medianMs(times, bareName(b)),
    )[0] as number;
    print(burst.size, times, bareName(best));
    concurrencies = [best];
  }
}

/** Says how each burst went, so that whoever waits sees that something goes on. */
async function inTurns(
  contenders: ReadonlyMap<string, Contender>,
  { begunMs, rounds, size }: (typeof BURSTS)[number],
): Promise<Times> {
  const times: Times = new Map();
  const endAt = performance.now() + begunMs;
  for (let round = 1; round <= rounds && (round === 1 || performance.now() < endAt); round++) {
    for (const [name, contender] of contenders) {
      if (name === SWARM && round > SWARM_ROUNDS) continue;
      const elapsedMs = await contender(size);
      times.set(name, [...(times.get(name) ?? []), elapsedMs]);
      console.log(`  ${size} at once, round ${round}: ${name}: ${(elapsedMs / 1000).toFixed(1)} s`);
    }
  }
  return times;
}

function bareName(concurrency: number): string {
  return `bare containerd client, ${concurrency} at a time`;
}

async function timeTasks(fleet: Fleet, family: string, size: number): Promise<number> {
  const startedAt = performance.now();
  const arns = await fleet.launch(family, size);
  await fleet.reach(arns, "RUNNING", PAUSE_MS);
  const elapsedMs = performance.now() - startedAt;
  await fleet.stop(arns);
  return elapsedMs;
}

async function timeBare(bare: BareClient, size: number, concurrency: number): Promise<number> {
  const startedAt = performance.now();
  const ids: string[] = [];
  await atATime(concurrency, size, async () => {
    ids.push(await bare.start());
  });
  const elapsedMs = performance.now() - startedAt;
  await atATime(Math.max(...CONCURRENCIES), size, () => bare.remove(ids.pop() ?? ""));
  return elapsedMs;
}

async function atATime(
  concurrency: number,
  count: number,
  work: () => Promise<void>,
): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

function medianMs(times: Times, name: string): number {
  return summarise(times.get(name) ?? []).median;
}

function print(size: number, times: Times, floor: string): void {
  const perSecond = (ms: number): number => (size * 1000) / ms;
  console.log(`\n${size} tasks at once, request to all RUNNING, tasks per second (median / best)`);
  for (const [name, values] of times) {
    const { best, median } = summarise(values);
    const [usual, top] = [perSecond(median), perSecond(best)].map((rate) => rate.toFixed(1));
    row(name, `${usual?.padStart(7)} /${top?.padStart(6)}`);
  }
  const others = [
    ["the bare client at its best", floor] as const,
    ["Docker Swarm", SWARM] as const,
  ];
  for (const [called, other] of others.filter(([, name]) => times.has(name)))
    for (const own of [AWSVPC, BRIDGE]) {
      const ratio = medianMs(times, other) / medianMs(times, own);
      row(`${own}: ratio to ${called}`, ratio.toFixed(2).padStart(7));
    }
}
