import type { Instance, Retirement } from "./instance.ts";
import { FLEET_ACCOUNT_ID } from "./keys.ts";
import type { StopCause } from "./stop-reason.ts";

/** What control/instances knows of an instance when it decides. */
export interface InstanceView {
  readonly instance: Instance;
  /** Its tasks that are neither STOPPED nor waiting for their interface to be taken back. */
  readonly liveTaskCount: number;
  /** Its tasks whose end it has not confirmed. */
  readonly unconfirmedCount: number;
  /** For how long this server has watched its agent be away. */
  readonly silentMs: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

export interface InstanceLimits {
  /** A machine that is silent for so long is lost; undefined: none ever is. */
  readonly lossAfterMs: number | undefined;
  /** How long what is out of service can still be described. */
  readonly retentionMs: number;
}

/** What an instance needs next. */
export type InstanceStep =
  | { readonly kind: "nothing" }
  | { readonly kind: "look"; readonly againAfterMs: number }
  /** Out of service: what it runs ends in the books. */
  | { readonly kind: "endTasks"; readonly cause: StopCause }
  /** Out of service: nobody is left who could confirm. */
  | { readonly kind: "confirmStops" }
  /** Silent for too long: what it runs ends in the books, and stays unconfirmed. */
  | { readonly kind: "loseTasks"; readonly cause: StopCause }
  | { readonly kind: "retire"; readonly retired: Retirement }
  | { readonly kind: "delete" };

/**
 * Chosen: FARGATE capacity of a machine that has been gone for so long goes out of service by itself, since no user can
 * deregister it. A day outlasts every repair that is meant to bring the machine back with its tasks.
 */
const FLEET_GONE_MS = 24 * 3_600_000;

/** Decides what becomes of an instance that is away, or out of service. Pure. */
export function nextInstanceStep(view: InstanceView, limits: InstanceLimits): InstanceStep {
  const { instance, now } = view;
  if (instance.status === "INACTIVE") return stepOutOfService(view, limits);
  if (instance.agentConnected) return { kind: "nothing" };
  const { lossAfterMs } = limits;
  if (lossAfterMs === undefined) return { kind: "nothing" };
  const isFleet = instance.accountId === FLEET_ACCOUNT_ID;
  if (view.liveTaskCount === 0 && !isFleet) return { kind: "nothing" };
  if (view.silentMs < lossAfterMs) return { kind: "look", againAfterMs: lookMs(lossAfterMs) };
  const cause = lossOf(instance, lossAfterMs);
  if (view.liveTaskCount > 0) return { kind: "loseTasks", cause };
  const goneAt = awaySince(instance) + FLEET_GONE_MS;
  return now < goneAt
    ? { kind: "look", againAfterMs: goneAt - now }
    : { kind: "retire", retired: { at: now, ...cause } };
}

/** Between two looks at an instance that is silent: what one jump of the clock can add to the silence at most. */
export function lookMs(lossAfterMs: number): number {
  return Math.ceil(lossAfterMs / 10);
}

/** When its agent went; for one that has never been there, when it was registered. */
export function awaySince({ disconnectedAt, registeredAt }: Instance): number {
  return disconnectedAt ?? registeredAt;
}

function stepOutOfService(
  { instance, liveTaskCount, unconfirmedCount, now }: InstanceView,
  { retentionMs }: InstanceLimits,
): InstanceStep {
  const { retired } = instance;
  if (liveTaskCount > 0) return { kind: "endTasks", cause: retired ?? DEREGISTERED };
  if (unconfirmedCount > 0) return { kind: "confirmStops" };
  const dueAt = (retired?.at ?? instance.registeredAt) + retentionMs;
  return now < dueAt ? { kind: "look", againAfterMs: dueAt - now } : { kind: "delete" };
}

/** ECS, of a forced deregistration. */
export const DEREGISTERED: StopCause = {
  stopCode: "UserInitiated",
  reason: "Container instance deregistration forced by user",
};

/** Users see no instance of the fleet. ECS says "terminated", which is more than a silence tells. */
function lossOf({ accountId, ec2InstanceId }: Instance, lossAfterMs: number): StopCause {
  const host =
    accountId === FLEET_ACCOUNT_ID ? "The task's host" : `Host EC2 (instance ${ec2InstanceId})`;
  return {
    stopCode: "TerminationNotice",
    reason: `${host} lost: its agent has been silent for ${Math.round(lossAfterMs / 1000)} seconds.`,
  };
}
