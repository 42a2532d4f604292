import { Kinds } from "./kinds.ts";
import { type Candidate, gpusLeft, remainingAmount } from "./snapshot.ts";

/** Chosen: kinds that no candidate is of any more before the kinds are made anew. */
const DEAD_KINDS_MAX = 1000;

/** Candidates that nothing but chance, ports and the tasks on them can tell apart: of one kind, with as much left. */
export interface Tier {
  /** An id of `Kinds`. */
  readonly kind: number;
  readonly cpuLeft: number;
  readonly memoryLeft: number;
  readonly gpusLeft: number;
  readonly rows: readonly number[];
}

/**
 * The candidates of one cluster, sorted into tiers, and kept from one placement to the next: only candidates that changed
 * are set again. Ten thousand machines come in some hundred tiers, so that a placement looks at those and not at each
 * machine. Rows number the candidates in no order that means anything; equal histories give equal boards.
 */
export class Board {
  readonly #candidates: Candidate[] = [];
  /** By instance id. */
  readonly #rows = new Map<string, number>();
  #kinds = new Kinds();
  readonly #tiers: MutableTier[] = [];
  /** By what its candidates have in common. */
  readonly #tiersByKey = new Map<string, MutableTier>();
  /** By row: its tier, and where it stands there. */
  readonly #places: Place[] = [];
  /** ec2InstanceId → rows of that machine. */
  readonly #machines = new Map<string, readonly number[]>();
  /** Group → row → tasks of the group there. */
  readonly #groups = new Map<string, Map<number, number>>();
  /** `tcp:80` → rows where the port is taken. */
  readonly #ports = new Map<string, Set<number>>();

  /** A board of these candidates. */
  static of(candidates: Iterable<Candidate>): Board {
    const board = new Board();
    for (const candidate of candidates) board.set(candidate);
    return board;
  }

  /** In order of rows. */
  get candidates(): readonly Candidate[] {
    return this.#candidates;
  }
  get size(): number {
    return this.#candidates.length;
  }
  get kinds(): Kinds {
    return this.#kinds;
  }
  get tiers(): readonly Tier[] {
    return this.#tiers;
  }
  tierOf(row: number): Tier | undefined {
    return this.#places[row]?.tier;
  }

  /** Rows of a machine: more than one where it has registered in the cluster more than once. */
  machineRows(ec2InstanceId: string): readonly number[] {
    return this.#machines.get(ec2InstanceId) ?? [];
  }

  /** Rows with tasks of a group, and how many. */
  groupRows(group: string): ReadonlyMap<number, number> {
    return this.#groups.get(group) ?? NO_COUNTS;
  }

  /** Rows where the port is taken. */
  portRows(protocol: "tcp" | "udp", port: number): ReadonlySet<number> {
    return this.#ports.get(`${protocol}:${port}`) ?? NO_ROWS;
  }

  /** Takes a candidate in, or as it now is. */
  set(candidate: Candidate): void {
    const { id } = candidate.instance;
    const row = this.#rows.get(id) ?? this.size;
    const before = this.#candidates[row];
    const kind = before && isSameKind(before, candidate) ? this.#places[row]?.tier.kind : undefined;
    this.#rows.set(id, row);
    this.#candidates[row] = candidate;
    this.#move(row, before, candidate, kind ?? this.#kinds.idOf(candidate));
    if (kind === undefined) this.#forgetDeadKinds();
  }

  /** The last row takes the place of the one that goes. */
  delete(instanceId: string): void {
    const row = this.#rows.get(instanceId);
    const gone = row === undefined ? undefined : this.#candidates[row];
    if (row === undefined || gone === undefined) return;
    const lastRow = this.size - 1;
    const last = this.#candidates[lastRow];
    const kind = this.#places[lastRow]?.tier.kind ?? 0;
    this.#move(row, gone, undefined, 0);
    this.#rows.delete(instanceId);
    if (last !== undefined && row !== lastRow) {
      this.#move(lastRow, last, undefined, 0);
      this.#candidates[row] = last;
      this.#rows.set(last.instance.id, row);
      this.#move(row, undefined, last, kind);
    }
    this.#candidates.pop();
    this.#places.length = this.size;
  }

  /** Brings the indexes from what a row was to what it is. */
  #move(
    row: number,
    before: Candidate | undefined,
    after: Candidate | undefined,
    kind: number,
  ): void {
    this.#leaveTier(row);
    if (after) this.#enterTier(row, after, kind);
    this.#moveMachine(row, before?.instance.ec2InstanceId, after?.instance.ec2InstanceId);
    this.#moveGroups(row, before?.groups ?? NO_GROUPS, after?.groups ?? NO_GROUPS);
    if (before && after && hasSamePorts(before, after)) return;
    for (const key of portKeys(before)) removeFrom(this.#ports, key, row);
    for (const key of portKeys(after)) {
      const rows = this.#ports.get(key) ?? new Set<number>();
      this.#ports.set(key, rows.add(row));
    }
  }

  #enterTier(row: number, candidate: Candidate, kind: number): void {
    const cpuLeft = remainingAmount(candidate, "cpuUnits");
    const memoryLeft = remainingAmount(candidate, "memoryMiB");
    const gpuCount = gpusLeft(candidate).length;
    const key = `${kind} ${cpuLeft} ${memoryLeft} ${gpuCount}`;
    let tier = this.#tiersByKey.get(key);
    if (tier === undefined) {
      const index = this.#tiers.length;
      tier = { key, index, kind, cpuLeft, memoryLeft, gpusLeft: gpuCount, rows: [] };
      this.#tiers.push(tier);
      this.#tiersByKey.set(key, tier);
    }
    this.#places[row] = { tier, index: tier.rows.push(row) - 1 };
  }

  /** The last of the tier takes the place of the row that goes. */
  #leaveTier(row: number): void {
    const place = this.#places[row];
    if (place === undefined) return;
    const { tier, index } = place;
    const last = tier.rows.pop();
    if (last !== undefined && last !== row) {
      tier.rows[index] = last;
      this.#places[last] = { tier, index };
    }
    if (tier.rows.length === 0) this.#dropTier(tier);
    this.#places[row] = undefined;
  }

  #dropTier({ key, index }: MutableTier): void {
    this.#tiersByKey.delete(key);
    const last = this.#tiers.pop();
    if (last === undefined || last.key === key) return;
    last.index = index;
    this.#tiers[index] = last;
  }

  #moveMachine(row: number, before: string | undefined, after: string | undefined): void {
    if (before === after) return;
    if (before !== undefined) {
      const others = this.machineRows(before).filter((other) => other !== row);
      if (others.length > 0) this.#machines.set(before, others);
      else this.#machines.delete(before);
    }
    if (after !== undefined) this.#machines.set(after, [...this.machineRows(after), row]);
  }

  #moveGroups(row: number, before: Groups, after: Groups): void {
    for (const group of before.keys()) {
      if (!after.has(group)) removeFrom(this.#groups, group, row);
    }
    for (const [group, count] of after) {
      if (before.get(group) === count) continue;
      const counts = this.#groups.get(group) ?? new Map<number, number>();
      this.#groups.set(group, counts.set(row, count));
    }
  }

  #forgetDeadKinds(): void {
    if (this.#kinds.count <= this.size + DEAD_KINDS_MAX) return;
    this.#kinds = new Kinds();
    for (const [row, candidate] of this.#candidates.entries()) {
      this.#leaveTier(row);
      this.#enterTier(row, candidate, this.#kinds.idOf(candidate));
    }
  }
}

interface MutableTier extends Tier {
  readonly key: string;
  /** Where it stands among the tiers. */
  index: number;
  readonly rows: number[];
}

type Place = { readonly tier: MutableTier; readonly index: number } | undefined;
type Groups = Candidate["groups"];

const NO_COUNTS: ReadonlyMap<number, number> = new Map();
const NO_ROWS: ReadonlySet<number> = new Set();
const NO_GROUPS: Groups = new Map();

function isSameKind(before: Candidate, after: Candidate): boolean {
  return (
    before.instance === after.instance && before.unconfirmedCount > 0 === after.unconfirmedCount > 0
  );
}

function hasSamePorts(a: Candidate, b: Candidate): boolean {
  return (
    a.instance.registered === b.instance.registered &&
    a.taken.ports === b.taken.ports &&
    a.taken.portsUdp === b.taken.portsUdp
  );
}

function portKeys(candidate: Candidate | undefined): ReadonlySet<string> {
  const keys = new Set<string>();
  if (candidate === undefined) return keys;
  for (const { ports, portsUdp } of [candidate.instance.registered, candidate.taken]) {
    for (const port of ports) keys.add(`tcp:${port}`);
    for (const port of portsUdp) keys.add(`udp:${port}`);
  }
  return keys;
}

function removeFrom(
  index: Map<string, { delete(row: number): boolean; readonly size: number }>,
  key: string,
  row: number,
): void {
  const rows = index.get(key);
  rows?.delete(row);
  if (rows?.size === 0) index.delete(key);
}
