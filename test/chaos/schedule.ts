/** What happens to which machine and when: drawn before a run from its seed, pure. */
import type { SeededRandom } from "../sim/seeded-random.ts";

/** The fewest that a setting allows: how long a machine is silent until its tasks are given up. */
export const LOSS_AFTER_MS = 30_000;

/**
 * `kill` ends the machine's Gantry by SIGKILL and starts it again after `pauseMs`; `kill-containerd` its private containerd,
 * which is Gantry's to start again; `cut` pulls its cable, and puts it back after `pauseMs`.
 */
export interface Fault {
  readonly atMs: number;
  readonly kind: "kill" | "kill-containerd" | "cut";
  readonly machine: number;
  readonly pauseMs: number;
}

/** The machines of a run, by the command that runs on each. The first has the server. */
export type Shape = readonly ("server" | "up" | "node")[];

const SHAPES: readonly [Shape, ...Shape[]] = [
  ["server", "node", "node"],
  ["up", "node"],
];

export interface Schedule {
  readonly shape: Shape;
  readonly faults: readonly Fault[];
}

/** Between two faults of one kind on one machine, on average; how long each lasts. Chosen: each kind a few times a minute. */
const RATES = {
  kill: { everyMs: 18_000, pauseMs: [0, 5_000] },
  "kill-containerd": { everyMs: 18_000, pauseMs: [0, 0] },
  cut: { everyMs: 25_000, pauseMs: [300, 8_000] },
} as const;

/** Beyond the limit: the server sees the silence some seconds late, and looks at it in steps. */
const LONG_CUT_MS = [LOSS_AFTER_MS + 10_000, LOSS_AFTER_MS + 20_000] as const;
/** Two of three runs lose a machine; in the others the server is killed the more often, which begins to count anew each time. */
const LONG_CUT_CHANCE = 2 / 3;

/** The faults of a run whose users work for `durationMs`. */
export function drawSchedule(random: SeededRandom, durationMs: number): Schedule {
  const shape = random.pick(SHAPES);
  const machines = shape.map((_, index) => index);
  const nodes = machines.filter((index) => shape[index] === "node");
  const together = random.integer(5_000, Math.max(5_000, durationMs - 5_000));
  const certain: Fault[] = machines.flatMap((machine) => allAtOnce(random, machine, together));
  if (random.chance(LONG_CUT_CHANCE)) {
    const atMs = random.integer(3_000, 10_000);
    const pauseMs = random.integer(...LONG_CUT_MS);
    certain.push({ atMs, kind: "cut", machine: random.pickFrom(nodes) ?? 0, pauseMs });
  }
  const isPossible = ({ kind, machine }: Fault): boolean =>
    kind === "kill" || (kind === "cut" ? nodes.includes(machine) : shape[machine] !== "server");
  const drawn = machines.flatMap((machine) =>
    (["kill", "kill-containerd", "cut"] as const).flatMap((kind) =>
      drawOneKind(random.fork(`${kind} ${machine}`), { kind, machine }, durationMs),
    ),
  );
  const faults = certain.filter(isPossible);
  for (const fault of drawn.filter(isPossible))
    if (!faults.some((other) => excludes(other, fault))) faults.push(fault);
  return { shape, faults: faults.sort((a, b) => a.atMs - b.atMs) };
}

function allAtOnce(random: SeededRandom, machine: number, atMs: number): Fault[] {
  const pauseMs = random.integer(...RATES.kill.pauseMs);
  return [
    { atMs, kind: "kill-containerd", machine, pauseMs: 0 },
    { atMs, kind: "kill", machine, pauseMs },
  ];
}

function drawOneKind(
  random: SeededRandom,
  what: Pick<Fault, "kind" | "machine">,
  durationMs: number,
): Fault[] {
  const { everyMs, pauseMs } = RATES[what.kind];
  const [least, most] = pauseMs;
  const faults: Fault[] = [];
  let atMs = random.interval(everyMs);
  while (atMs < durationMs) {
    const fault = { ...what, atMs, pauseMs: random.integer(least, most) };
    faults.push(fault);
    atMs += fault.pauseMs + random.interval(everyMs);
  }
  return faults;
}

/** One machine has one fault of a kind at a time; and a server that is killed counts a silence anew, so that nothing would ever be lost. */
function excludes(certain: Fault, fault: Fault): boolean {
  const isOverlap =
    fault.atMs <= certain.atMs + certain.pauseMs && certain.atMs <= fault.atMs + fault.pauseMs;
  if (!isOverlap) return false;
  if (certain.kind === fault.kind && certain.machine === fault.machine) return true;
  return isLongCut(certain) && fault.kind === "kill" && fault.machine === 0;
}

/** Whether a machine may be given up for it. */
export function isLongCut({ kind, pauseMs }: Fault): boolean {
  return kind === "cut" && pauseMs >= LOSS_AFTER_MS;
}

export function describeFault({ atMs, kind, machine, pauseMs }: Fault): string {
  const lasts = kind === "kill-containerd" ? "" : ` for ${(pauseMs / 1000).toFixed(1)} s`;
  return `${(atMs / 1000).toFixed(1)} s: ${kind} machine ${machine}${lasts}`;
}
