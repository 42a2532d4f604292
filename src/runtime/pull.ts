/** What a pull is asked for, and how it may end. */
import { ImageError } from "./runtime.ts";

/** A name and a password, as a registry knows them. */
export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

export interface PullOptions {
  /** Of whom the image is for; absent: what the node's own file of registry logins has. */
  readonly auth?: RegistryLogin;
  /** Told the image's digest once the registry has said it, before anything is fetched. */
  readonly onResolved?: (digest: string) => void;
  /** Told now and then how far it is. */
  readonly onProgress?: (progress: PullProgress) => void;
  /** How long a registry is waited for that cannot be reached; absent: as the ECS agent does. */
  readonly patience?: PullPatience;
  readonly signal: AbortSignal;
}

/** Somebody is watching: what is not there is said at once, and what is tried again is said too. */
export interface PullPatience {
  readonly onRetry: (retry: PullRetry) => void;
}

export interface PullRetry {
  /** Why the last attempt failed. */
  readonly reason: string;
  readonly inMs: number;
  /** 1 for the first time that it is tried again. */
  readonly number: number;
  readonly numberMax: number;
}

export interface PullProgress {
  /** Layers that are here and unpacked, of how many. */
  readonly layersDone: number;
  readonly layers: number;
  /** As they are in the registry, mostly compressed. */
  readonly bytes: number;
  readonly bytesTotal: number;
}

export type PullFailure =
  /** No answer, or none that makes sense; trying later may help. */
  | "unreachable"
  /** The registry does not give it to this caller. */
  | "denied"
  | "notFound"
  | "noSpace"
  /** What the registry has is no image for this machine, or not what its digest says. */
  | "unusable";

/** An image that could not be pulled; the message is Docker's for the same. */
export class PullError extends ImageError {
  override readonly name = "PullError";
  readonly failure: PullFailure;
  /** Whether the registry had said what the name stands for by then. */
  readonly stage: "manifest" | "content";
  /** How often it was tried again. */
  readonly retries: number;
  /** What a person can do about it, if that is known. */
  readonly remedy: string | undefined;

  constructor(
    message: string,
    facts: Pick<PullError, "failure" | "stage" | "retries"> & {
      readonly remedy?: string | undefined;
    },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.failure = facts.failure;
    this.stage = facts.stage;
    this.retries = facts.retries;
    this.remedy = facts.remedy;
  }
}
