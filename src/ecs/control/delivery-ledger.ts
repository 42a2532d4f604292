import type { Task } from "../model/task.ts";
import type { MintedCredentials, RoleType } from "./task-credentials.ts";

/** The agent reads a payload's number into 32 bits, a manifest's into 64. */
const SEQ_NUM_MAX = 2 ** 31 - 1;
/** By how much manifests' numbers are first raised above the clock, and at most: two hours and, after 18 doublings, 60 years. */
const TIMELINE_LEAD_MS_FIRST = 2 * 3_600_000;
const TIMELINE_LEAD_MS_MAX = TIMELINE_LEAD_MS_FIRST * 2 ** 18;

/**
 * What one container instance has been told and has acknowledged. It outlives the instance's connections (an agent
 * reconnects every half hour) but not the server: after a restart everything is told again, which agents expect.
 */
export class DeliveryLedger {
  #lastSeqNum = 0;
  #lastTimeline = 0;
  #timelineLeadMs = 0;
  readonly #acknowledged = new Map<string, Task["desiredStatus"]>();
  readonly #credentials = new Map<string, MintedCredentials & { isHeld: boolean }>();

  /** Of a payload. Agents only keep the greatest of these and of manifests' numbers, which are far above. */
  nextSeqNum(): number {
    this.#lastSeqNum = (this.#lastSeqNum % SEQ_NUM_MAX) + 1;
    return this.#lastSeqNum;
  }

  /**
   * Of a manifest: greater than every number before it. The agent keeps the greatest it has seen, through restarts of its own
   * and of ours, and discards a manifest that is not above. Hence the clock as its floor, and what it was raised by.
   */
  nextTimeline(now: number): number {
    this.#lastTimeline = Math.max(this.#lastTimeline + 1, now + this.#timelineLeadMs);
    return this.#lastTimeline;
  }

  /**
   * For an agent that does not acknowledge manifests: it may have seen greater numbers, by a clock that has been set back since.
   * False: no clock was ever so wrong, it takes no manifests.
   */
  raiseTimeline(): boolean {
    if (this.#timelineLeadMs >= TIMELINE_LEAD_MS_MAX) return false;
    this.#timelineLeadMs = Math.max(TIMELINE_LEAD_MS_FIRST, 2 * this.#timelineLeadMs);
    return true;
  }

  /** The last manifest was acknowledged: those after it are above. */
  acknowledgeTimeline(): void {
    this.#timelineLeadMs = 0;
  }

  /**
   * A new agent process has lost all credentials. Whether it may have lost a task that the old one acknowledged, or has all
   * of them on its disk, depends on the agent.
   */
  forgetProcess({ keepsTasks }: { readonly keepsTasks: boolean }): void {
    if (!keepsTasks) this.#acknowledged.clear();
    for (const held of this.#credentials.values()) held.isHeld = false;
  }

  acknowledge(taskKey: string, desiredStatus: Task["desiredStatus"]): void {
    this.#acknowledged.set(taskKey, desiredStatus);
  }

  acknowledgedStatus(taskKey: string): Task["desiredStatus"] | undefined {
    return this.#acknowledged.get(taskKey);
  }

  credentials(taskKey: string, roleType: RoleType): MintedCredentials | undefined {
    return this.#credentials.get(`${taskKey} ${roleType}`);
  }

  keepCredentials(taskKey: string, roleType: RoleType, minted: MintedCredentials): void {
    this.#credentials.set(`${taskKey} ${roleType}`, { ...minted, isHeld: false });
  }

  /** The agent has got these; it names them by id and expiration. */
  acknowledgeCredentials(credentialsId: string, expiration: string): void {
    for (const kept of this.#credentials.values()) {
      const { credentials } = kept;
      if (credentials.credentialsId !== credentialsId) continue;
      if (credentials.expiration === expiration) kept.isHeld = true;
    }
  }

  /** True if the agent has the credentials that are kept here. */
  isHeld(taskKey: string, roleType: RoleType): boolean {
    return this.#credentials.get(`${taskKey} ${roleType}`)?.isHeld ?? false;
  }

  /** Forgets every task but these, so that the ledger is never larger than the instance's work. */
  retain(taskKeys: ReadonlySet<string>): void {
    for (const key of this.#acknowledged.keys()) {
      if (!taskKeys.has(key)) this.#acknowledged.delete(key);
    }
    for (const key of this.#credentials.keys()) {
      if (!taskKeys.has(key.slice(0, key.indexOf(" ")))) this.#credentials.delete(key);
    }
  }
}
