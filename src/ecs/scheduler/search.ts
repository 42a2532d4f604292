import type { Random } from "../../lib/random.ts";
import { add, NO_RESOURCES } from "../model/resources.ts";
import type { Board, Tier } from "./board.ts";
import { isAboutKind, passesDynamicConstraints } from "./filters.ts";
import { GroupCounts } from "./group-counts.ts";
import { type Candidate, gpusLeft, type PlacementRequest } from "./snapshot.ts";

/**
 * The places of one request's tasks, found one after the other, each seeing what those before it took. The board's tiers
 * stay as they are: rows whose machine took a task are hidden there, and stand beside them as tiers of their own.
 */
export class Search {
  readonly #board: Board;
  readonly #request: PlacementRequest;
  readonly #mask: Uint8Array;
  /** Of the board's, those that have enough of everything. */
  readonly #tiers: readonly Tier[];
  /** Rows that their tier does not offer, and how many there are of each tier. */
  readonly #hidden = new Set<number>();
  readonly #hiddenCounts = new Map<Tier, number>();
  /** Rows whose machine took tasks of this request: what they now offer. */
  readonly #singles = new Map<number, Single>();
  /** Rows that were hidden before any task was placed: a taken port, a task of the group, a constraint. */
  readonly #excluded: ReadonlySet<number>;
  readonly #asksRows: boolean;
  readonly #group: GroupCounts;

  constructor(board: Board, request: PlacementRequest) {
    this.#board = board;
    this.#request = request;
    this.#group = new GroupCounts(board, request.group);
    this.#mask = board.kinds.maskFor(request);
    this.#tiers = board.tiers.filter((tier) => this.#hasEnough(tier));
    this.#asksRows = request.constraints.some(
      (constraint) => constraint.type === "memberOf" && !isAboutKind(constraint.expression),
    );
    this.#excluded = this.#findExcluded();
    for (const row of this.#excluded) this.#hide(row);
  }

  /**
   * One of the rows that the strategies like best: each narrows the choice of the one before, chance decides what remains.
   * Undefined when no row could take a task.
   */
  best(random: Pick<Random, "next">): number | undefined {
    const choice = this.#choose();
    let total = 0;
    for (const offer of choice) total += countOf(offer);
    let index = Math.floor(random.next() * total);
    for (const offer of choice) {
      const count = countOf(offer);
      if (index < count) return rowAt(offer, index);
      index -= count;
    }
    return undefined;
  }

  /** All rows that {@link best} draws from. */
  ties(): readonly number[] {
    return this.#choose().flatMap(rowsOf);
  }

  /** A task goes to a row: every row of its machine has less left. */
  take(row: number): void {
    const { ec2InstanceId } = this.candidate(row).instance;
    this.#group.add(row);
    for (const one of this.#board.machineRows(ec2InstanceId)) {
      const { machineCount, ownCount } = this.#singles.get(one) ?? NOT_TAKEN;
      this.#hide(one);
      this.#singles.set(
        one,
        this.#single(one, machineCount + 1, one === row ? ownCount + 1 : ownCount),
      );
    }
  }

  /** A row's candidate with what this request's tasks have taken so far. */
  candidate(row: number): Candidate {
    const candidate = this.#board.candidates[row] as Candidate;
    const single = this.#singles.get(row);
    return single ? withTasks(candidate, this.#request, single) : candidate;
  }

  #choose(): readonly Offer[] {
    const isHidden = (row: number): boolean => this.#hidden.has(row);
    const offered: Offer[] = [];
    for (const tier of this.#tiers) {
      const hiddenCount = this.#hiddenCounts.get(tier) ?? 0;
      const count = tier.rows.length - hiddenCount;
      if (hiddenCount === 0) offered.push(tier);
      else if (count > 0) offered.push({ ...tier, part: { of: tier, count, isHidden } });
    }
    for (const { tier, fits } of this.#singles.values()) if (fits) offered.push(tier);
    return this.#request.strategies.reduce<readonly Offer[]>(
      (choice, strategy) => this.#narrow(choice, strategy),
      offered,
    );
  }

  #narrow(
    choice: readonly Offer[],
    strategy: PlacementRequest["strategies"][number],
  ): readonly Offer[] {
    switch (strategy.type) {
      case "random":
        return choice;
      case "binpack":
        return strategy.resource === "cpuUnits"
          ? leastOf(choice, ({ cpuLeft }) => cpuLeft)
          : leastOf(choice, ({ memoryLeft }) => memoryLeft);
      case "spread": {
        if (strategy.attribute === undefined) return this.#leastUsed(choice);
        const { kinds } = this.#board;
        const counts = this.#group.byValue(strategy.attribute);
        const { attribute } = strategy;
        return leastOf(choice, ({ kind }) => counts.get(kinds.valueOf(kind, attribute)) ?? 0);
      }
    }
  }

  /** The rows with the fewest tasks of the group. */
  #leastUsed(choice: readonly Offer[]): readonly Offer[] {
    const unused = choice.flatMap((one) => this.#unusedOf(one));
    if (unused.length > 0) return unused;
    return leastOf(choice.flatMap(asSingles), ({ rows: [row = -1] }) => this.#group.of(row));
  }

  /** What of an offer has no task of the group. */
  #unusedOf(offer: Offer): readonly Offer[] {
    const { rows, part } = offer;
    const [row = -1] = rows;
    if (rows.length === 1) return this.#group.of(row) === 0 ? [offer] : [];
    const usedRows = this.#group.rowsIn(part?.of ?? offer);
    const usedCount = part
      ? usedRows.filter((used) => !part.isHidden(used)).length
      : usedRows.length;
    const count = countOf(offer) - usedCount;
    if (usedCount === 0) return [offer];
    if (count === 0) return [];
    const isHidden = (other: number): boolean =>
      this.#group.of(other) > 0 || part?.isHidden(other) === true;
    return [{ ...offer, part: { of: part?.of ?? offer, count, isHidden } }];
  }

  #hasEnough({ kind, cpuLeft, memoryLeft, gpusLeft: left }: Tier): boolean {
    const { needs, gpuCount = 0 } = this.#request;
    return (
      this.#mask[kind] === 1 &&
      (needs.cpuUnits === 0 || cpuLeft >= needs.cpuUnits) &&
      (needs.memoryMiB === 0 || memoryLeft >= needs.memoryMiB) &&
      left >= gpuCount
    );
  }

  #findExcluded(): ReadonlySet<number> {
    const { needs, constraints, group } = this.#request;
    const board = this.#board;
    const excluded = new Set<number>();
    const exclude = (rows: Iterable<number>): void => {
      for (const row of rows) excluded.add(row);
    };
    for (const port of needs.ports) exclude(board.portRows("tcp", port));
    for (const port of needs.portsUdp) exclude(board.portRows("udp", port));
    if (isDistinct(constraints)) exclude(board.groupRows(group).keys());
    if (!this.#asksRows) return excluded;
    for (const { rows } of this.#tiers) {
      exclude(rows.filter((row) => !passesDynamicConstraints(this.candidate(row), this.#request)));
    }
    return excluded;
  }

  #hide(row: number): void {
    if (this.#hidden.has(row)) return;
    this.#hidden.add(row);
    const tier = this.#board.tierOf(row);
    if (tier) this.#hiddenCounts.set(tier, (this.#hiddenCounts.get(tier) ?? 0) + 1);
  }

  #single(row: number, machineCount: number, ownCount: number): Single {
    const { needs, gpuCount = 0, constraints } = this.#request;
    const from = this.#board.tierOf(row) as Tier;
    const tier: Tier = {
      kind: from.kind,
      cpuLeft: from.cpuLeft - needs.cpuUnits * machineCount,
      memoryLeft: from.memoryLeft - needs.memoryMiB * machineCount,
      gpusLeft: from.gpusLeft - gpuCount * machineCount,
      rows: [row],
    };
    const candidate = this.#board.candidates[row] as Candidate;
    const counts = { machineCount, ownCount };
    const fits =
      this.#hasEnough(tier) &&
      needs.ports.length + needs.portsUdp.length === 0 &&
      !(isDistinct(constraints) && ownCount > 0) &&
      !this.#excluded.has(row) &&
      (!this.#asksRows ||
        passesDynamicConstraints(withTasks(candidate, this.#request, counts), this.#request));
    return { ...counts, tier, fits };
  }
}

/** What a task may choose from: a tier, or part of one. */
interface Offer extends Tier {
  readonly part?: {
    readonly of: Tier;
    /** Of its rows that are offered. */
    readonly count: number;
    readonly isHidden: (row: number) => boolean;
  };
}

interface Single extends TaskCounts {
  readonly tier: Tier;
  readonly fits: boolean;
}

/** Tasks of a request: on a row's machine, and on the row itself. */
interface TaskCounts {
  readonly machineCount: number;
  readonly ownCount: number;
}

const NOT_TAKEN: TaskCounts = { machineCount: 0, ownCount: 0 };

function isDistinct(constraints: PlacementRequest["constraints"]): boolean {
  return constraints.some(({ type }) => type === "distinctInstance");
}

function countOf({ part, rows }: Offer): number {
  return part?.count ?? rows.length;
}

function rowsOf({ part, rows }: Offer): readonly number[] {
  return part ? rows.filter((row) => !part.isHidden(row)) : rows;
}

function rowAt({ part, rows }: Offer, index: number): number | undefined {
  if (part === undefined) return rows[index];
  let left = index;
  return rows.find((row) => !part.isHidden(row) && left-- === 0);
}

/** An offer of many rows as offers of one each. */
function asSingles(offer: Offer): readonly Offer[] {
  const { kind, cpuLeft, memoryLeft, gpusLeft: left } = offer;
  return rowsOf(offer).map((row) => ({ kind, cpuLeft, memoryLeft, gpusLeft: left, rows: [row] }));
}

/** Those of the choice that cost least, in their order. */
function leastOf(choice: readonly Offer[], costOf: (tier: Tier) => number): readonly Offer[] {
  let least = Number.POSITIVE_INFINITY;
  let best: Offer[] = [];
  for (const offer of choice) {
    const cost = costOf(offer);
    if (cost > least) continue;
    if (cost < least) best = [];
    least = cost;
    best.push(offer);
  }
  return best;
}

function withTasks(
  candidate: Candidate,
  { needs, gpuCount = 0, group }: PlacementRequest,
  { machineCount, ownCount }: TaskCounts,
): Candidate {
  const gpus = gpusLeft(candidate).slice(0, gpuCount * machineCount);
  const groups = new Map(candidate.groups);
  if (ownCount > 0) groups.set(group, (groups.get(group) ?? 0) + ownCount);
  const taken = Array.from({ length: machineCount }, () => needs).reduce(add, candidate.taken);
  return { ...candidate, groups, taken: add(taken, { ...NO_RESOURCES, gpus }) };
}
