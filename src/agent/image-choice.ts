import type { PullError, PullFailure } from "../runtime/pull.ts";
import type { Image } from "../runtime/runtime.ts";

/** ECS agent: when a task's image is asked for at its registry. */
export const IMAGE_PULL_BEHAVIORS = ["default", "always", "once", "prefer-cached"] as const;
export type ImagePullBehavior = (typeof IMAGE_PULL_BEHAVIORS)[number];

export type ImageChoice =
  /** `because`: for the log. */
  | { readonly kind: "use"; readonly image: Image; readonly because: string }
  | { readonly kind: "pull"; readonly elseUse: Image | undefined };

/**
 * Whether an image is pulled or taken as it is here. An image that somebody has loaded by hand is meant to run, so it is
 * preferred to whatever a registry has under its name, unless the behaviour is `always`: without a network, at once.
 */
export function chooseImage(behavior: ImagePullBehavior, here: Image | undefined): ImageChoice {
  if (here === undefined) return { kind: "pull", elseUse: undefined };
  switch (behavior) {
    case "always":
      return { kind: "pull", elseUse: undefined };
    case "once":
    case "prefer-cached":
      return { kind: "use", image: here, because: `it is here, and the behavior is ${behavior}` };
    case "default":
      return here.origin === "loaded"
        ? { kind: "use", image: here, because: "it was loaded by hand" }
        : { kind: "pull", elseUse: here };
  }
}

/**
 * Whether the image as it is here may stand in for one whose pull has failed. A registry's refusal counts: what one task has
 * pulled with its credentials is not for every other task of the machine.
 */
export function mayStandIn(failure: PullFailure): boolean {
  return failure !== "denied";
}

/**
 * Why a container cannot have its image, in ECS's words: those of its agent (Docker's) on container instances, those of Fargate
 * (containerd's) there.
 */
export function pullFailureReason(
  error: PullError,
  reference: string,
  launchType: string | undefined,
): string {
  const { message, retries, stage } = error;
  if (launchType === "FARGATE") {
    const what = stage === "manifest" ? "pull image manifest" : "ref pull";
    const failed = stage === "manifest" ? `failed to resolve ref ${reference}` : "failed to copy";
    return `CannotPullContainerError: ${what} has been retried ${retries} time(s): ${failed}: ${message}`;
  }
  const name = stage === "manifest" ? "CannotPullImageManifestError" : "CannotPullContainerError";
  return `${name}: Error response from daemon: ${message}`;
}
