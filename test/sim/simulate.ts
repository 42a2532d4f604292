import { instanceArn } from "../../src/ecs/model/arn.ts";
import type { Cluster } from "../../src/ecs/model/cluster.ts";
import type { Instance } from "../../src/ecs/model/instance.ts";
import type { Task } from "../../src/ecs/model/task.ts";
import { ClusterUsers } from "./cluster-users.ts";
import { DEFINITIONS } from "./definitions.ts";
import { drawRates, drawWeather, FAIR_WEATHER, type FaultRates, Faults } from "./faults.ts";
import { findUnrest } from "./liveness.ts";
import { watchQuiet } from "./quiet.ts";
import { SecretUsers } from "./secret-users.ts";
import { Violation } from "./violation.ts";
import { Workload, type WorkloadMix } from "./workload.ts";
import { World } from "./world.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
/** Between two things that one user does to secrets. */
const SECRET_PAUSE_MS = 3 * SECOND_MS;
/** Between two things that one user does to clusters. */
const CLUSTER_PAUSE_MS = 5 * SECOND_MS;
/**
 * How long users work and things go wrong. Mostly short: of mutants of the product, worlds of 1–5 minutes found as many as worlds
 * of 2–10 in two thirds of the time (docs/testing.md). Some long: a machine may be away for 10 minutes.
 */
const TROUBLE_MINUTES: readonly [number, ...number[]] = [1, 1, 2, 2, 3, 3, 5, 10];
/** Longer than it takes to give up a machine that is silent, whatever the limit of this world. */
const AWAY_MS = 10 * MINUTE_MS;
/** L1–L3: from the last fault until everything must be as it should be. */
const HEAL_MS_MAX = 15 * MINUTE_MS;
/** All clocks were ahead: when they are set right, whoever waits for them to come that far again waits for longer than there is. */
const CLOCKS_BACK_MINUTES: readonly [number, number] = [20, 180];
/** L4: how long nothing may be written then. */
const QUIET_MS = 10 * MINUTE_MS;

/** What became of one world. */
export interface Outcome {
  readonly seed: number;
  /** Equal for equal runs. */
  readonly digest: string;
  readonly virtualMs: number;
  readonly eventCount: number;
  readonly commitCount: number;
  readonly taskCount: number;
  readonly failure: Error | undefined;
  /** Transitions of states, for whoever has to find out. */
  readonly lines: readonly string[];
}

/** Lives one world: trouble, healing, and what must then hold. Equal seeds give equal outcomes. */
export async function simulate(
  seed: number,
  options: { readonly isVerbose: boolean } = { isVerbose: false },
): Promise<Outcome> {
  const world = new World(seed, options);
  const startedAt = world.clock.now();
  let failure: Error | undefined;
  try {
    await world.drive(live(world));
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  const outcome: Outcome = {
    seed,
    digest: world.trace.digest(),
    virtualMs: world.clock.now() - startedAt,
    eventCount: world.trace.eventCount,
    commitCount: world.records.commitCount,
    taskCount: world.records.count("tasks"),
    failure,
    lines: world.trace.lines,
  };
  await world[Symbol.asyncDispose]();
  return outcome;
}

async function live(world: World): Promise<void> {
  const random = world.random.fork("scenario");
  await world.begin(random.integer(1, 4));
  for (const definition of DEFINITIONS) {
    await world.client.call("RegisterTaskDefinition", definition);
  }
  await settle(world, MINUTE_MS);
  const workload = new Workload({
    client: world.client,
    random: world.random.fork("workload"),
    records: world.records,
    subnets: world.subnetIds,
  });
  await trouble(world, workload);
  await heal(world);
  if (random.chance(0.3)) await workload.stopEverything();
  await settle(world, HEAL_MS_MAX);
  await watchQuiet(world, QUIET_MS);
  const hasInactive = world.records.list<Cluster>("clusters").some(isInactive);
  if (hasInactive || world.records.secrets.list().length > 0) await daysLater(world);
}

/**
 * What is kept for days goes when its time has come, and not before, though nobody was there to see the time pass. A machine that
 * was cut off all the while is what it was when it is back.
 */
async function daysLater(world: World): Promise<void> {
  const random = world.random.fork("days");
  const days = random.integer(1, 31);
  const away = random.chance(0.5) ? random.pickFrom(world.machines) : undefined;
  away?.link.cut();
  if (away !== undefined) await world.clock.sleep(AWAY_MS);
  world.trace.transition(`${days} DAYS PASS${away ? ` WITHOUT ${away.id}` : ""}`);
  world.passDays(days);
  await world.restartServer(Promise.resolve());
  await world.clock.sleep(away === undefined ? MINUTE_MS : AWAY_MS);
  away?.link.mend();
  const overdue = world.records.secrets.findOverdue();
  if (overdue) throw new Violation("L7", `secret ${overdue.name} is still there after its time`);
  const { name } = world.records.findOverdueCluster() ?? {};
  if (name !== undefined) throw new Violation("L7", `cluster ${name} is there after its time`);
  await settle(world, HEAL_MS_MAX);
}

/** Users work, and whatever this world's dice have chosen goes wrong. */
async function trouble(world: World, workload: Workload): Promise<void> {
  const random = world.random.fork("trouble");
  const isCalm = random.chance(0.1);
  const over = new AbortController();
  const sleep = (ms: number): Promise<void> => world.clock.sleep(ms, over.signal);
  const ending = sleep(random.pick(TROUBLE_MINUTES) * MINUTE_MS).then(() => over.abort());
  if (!isCalm) world.setWeather(drawWeather(random));
  const faults = new Faults({
    machines: world.machines,
    random: random.fork("faults"),
    sleep,
    say: (what) => world.trace.transition(`FAULT ${what}`),
    restartServer: (downMs) => world.restartServer(sleep(downMs)),
    setServerAhead: (ms) => world.setServerAhead(ms),
  });
  const rates = Object.entries(drawRates(random)) as [keyof FaultRates, number | undefined][];
  const striking = rates.map(async ([name, meanMs]) => {
    const chance = random.fork(name);
    if (meanMs === undefined || isCalm) return;
    for (await sleep(chance.interval(meanMs)); !over.signal.aborted; ) {
      await faults.actions[name]();
      await sleep(chance.interval(meanMs));
    }
  });
  const mix = drawMix(world);
  const pauseMs = random.pick([2, 10, 30]) * SECOND_MS;
  const working = async (): Promise<void> => {
    const chance = random.fork("users");
    while (!over.signal.aborted) {
      await workload.act(mix);
      await sleep(chance.interval(pauseMs));
    }
  };
  const secretUsers = new SecretUsers({
    client: world.client,
    random: random.fork("secrets"),
    secrets: world.records.secrets,
  });
  const keepingSecrets = async (isThere: boolean): Promise<void> => {
    const chance = random.fork("secret users");
    while (isThere && !over.signal.aborted) {
      await secretUsers.act();
      await sleep(chance.interval(SECRET_PAUSE_MS));
    }
  };
  const hasSecrets = random.fork("has secrets").chance(0.3);
  const clusterUsers = new ClusterUsers({ client: world.client, random: random.fork("clusters") });
  const makingClusters = async (): Promise<void> => {
    const chance = random.fork("cluster users");
    while (!over.signal.aborted) {
      await clusterUsers.act();
      await sleep(chance.interval(CLUSTER_PAUSE_MS));
    }
  };
  const hasClusters = random.fork("has clusters").chance(0.2);
  const users = [working(), working(), keepingSecrets(hasSecrets), keepingSecrets(hasSecrets)];
  if (hasClusters) users.push(makingClusters(), makingClusters());
  await Promise.all([ending, ...striking, ...users]);
}

function drawMix(world: World): WorkloadMix {
  const random = world.random.fork("mix");
  const sometimes = (weight: number): number => (random.chance(0.5) ? weight : 0);
  return {
    runTask: 10,
    repeatRunTask: sometimes(3),
    startTask: sometimes(2),
    stopTask: random.pick([0, 5, 10]),
    drain: sometimes(1),
    activate: 2,
    deregister: sometimes(0.5),
  };
}

/**
 * All faults end. When what was still on its way has arrived, an operator restarts the agents whose instance is out of
 * service: they would rest for an hour.
 */
async function heal(world: World): Promise<void> {
  world.trace.transition("HEAL");
  world.setWeather(FAIR_WEATHER);
  const clocks = world.random.fork("clocks");
  const behindMs = clocks.chance(0.2) ? clocks.integer(...CLOCKS_BACK_MINUTES) * MINUTE_MS : 0;
  if (behindMs > 0) world.trace.transition(`FAULT all clocks are set back by ${behindMs} ms`);
  world.synchronizeClocks(behindMs);
  for (const machine of world.machines) {
    machine.link.mend();
    machine.start();
  }
  await world.clock.sleep(MINUTE_MS);
  const active = new Set(
    world.records
      .list<Instance>("instances")
      .filter(({ status }) => status !== "INACTIVE")
      .map((instance) => instanceArn(instance, instance.clusterName, instance.id)),
  );
  for (const machine of world.machines) {
    const agents = machine.process?.agents ?? [];
    if (agents.every((agent) => active.has(agent.instanceArn ?? ""))) continue;
    await machine.crash();
    machine.start();
  }
}

/** Waits until everything is as it should be. Throws Violation when that takes longer than `msMax`. */
async function settle(world: World, msMax: number): Promise<void> {
  const { clock, machines, records, store } = world;
  const endsAt = clock.now() + msMax;
  for (;;) {
    const unrest = await findUnrest(records, machines, world.logs);
    if (unrest === undefined) break;
    if (clock.now() >= endsAt) throw new Violation(unrest.invariant, unrest.what);
    await clock.sleep(5 * SECOND_MS);
  }
  const cache = world.server.process?.cache;
  const { records: listed, revision } = await store.list("/");
  await cache?.reached(revision);
  const shown = cache?.list("/") ?? [];
  const isSame =
    shown.length === listed.length &&
    shown.every(({ key, revision: at }, index) => {
      const record = listed[index];
      return record?.key === key && record.revision === at;
    });
  if (!isSame) throw new Violation("S7", "the cache does not show what the store has");
  world.trace.transition(`SETTLED with ${records.list<Task>("tasks").length} tasks`);
}

function isInactive({ status }: Cluster): boolean {
  return status === "INACTIVE";
}
