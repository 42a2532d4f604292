/**
 * The life of a task: ranks only grow, STOPPED is final. `docs/state-machines.md` explains the table, and a test
 * compares the two. `advance.ts` applies it; nothing else writes `lastStatus`.
 */
export type TaskStatus =
  | "PROVISIONING"
  | "PENDING"
  | "ACTIVATING"
  | "RUNNING"
  | "DEACTIVATING"
  | "STOPPING"
  | "DEPROVISIONING"
  | "STOPPED";

/** What can happen to a task. */
export type TaskEvent =
  /** Its network interface exists. */
  | "interfaceAttached"
  /** Its agent reports PENDING: images are being resolved. */
  | "agentPending"
  /** Its agent reports RUNNING: every container has reached its steady state. */
  | "agentRunning"
  /** Its agent has been told to stop it. */
  | "stopSent"
  /** Its agent reports STOPPED: every container has stopped. */
  | "agentStopped"
  /** No agent will ever report on it: it was stopped before it reached one, or its agent is gone. */
  | "abandoned"
  /** Its network interface is gone, or it never had one. */
  | "interfaceReleased";

/** The order of the states. A task's rank never falls. */
export const TASK_STATUSES: readonly TaskStatus[] = [
  "PROVISIONING",
  "PENDING",
  "ACTIVATING",
  "RUNNING",
  "DEACTIVATING",
  "STOPPING",
  "DEPROVISIONING",
  "STOPPED",
];

export const TASK_EVENTS: readonly TaskEvent[] = [
  "interfaceAttached",
  "agentPending",
  "agentRunning",
  "stopSent",
  "agentStopped",
  "abandoned",
  "interfaceReleased",
];

/** How far a task has come: 0 (PROVISIONING) to 7 (STOPPED). */
export function rankOf(status: TaskStatus): number {
  return TASK_STATUSES.indexOf(status);
}

const IGNORE_ALL = {
  interfaceAttached: "ignored",
  agentPending: "ignored",
  agentRunning: "ignored",
  stopSent: "ignored",
  agentStopped: "ignored",
  abandoned: "ignored",
  interfaceReleased: "ignored",
} as const;

/** What an agent's word does to any task that has reached it and has not ended. */
const WITH_AGENT = {
  ...IGNORE_ALL,
  stopSent: "STOPPING",
  agentStopped: "DEPROVISIONING",
  abandoned: "DEPROVISIONING",
} as const;

/** Where each event leads from each state. Total, so that a missing case does not compile. */
export const NEXT_TASK_STATUS: Readonly<
  Record<TaskStatus, Readonly<Record<TaskEvent, TaskStatus | "ignored">>>
> = {
  PROVISIONING: {
    ...IGNORE_ALL,
    interfaceAttached: "PENDING",
    abandoned: "DEPROVISIONING",
  },
  PENDING: { ...WITH_AGENT, agentRunning: "RUNNING" },
  ACTIVATING: { ...WITH_AGENT, agentRunning: "RUNNING" },
  RUNNING: WITH_AGENT,
  DEACTIVATING: WITH_AGENT,
  STOPPING: { ...WITH_AGENT, stopSent: "ignored" },
  DEPROVISIONING: { ...IGNORE_ALL, interfaceReleased: "STOPPED" },
  STOPPED: IGNORE_ALL,
};
