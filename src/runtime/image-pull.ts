/**
 * Pulls images: asks the registry what a name stands for, brings in what is not here yet, and points the name at it.
 * However many tasks want an image at a time, it is fetched once, but each of them is asked for its right to it.
 */
import type { Clock } from "../lib/clock.ts";
import { UnavailableError } from "../lib/errors.ts";
import { isNoSpace } from "../lib/no-space.ts";
import { Permits } from "../lib/turns.ts";
import type { Descriptor } from "./containerd/messages.ts";
import { detailsOf, isCode, Status } from "./containerd/status.ts";
import { fetchImage } from "./image-fetch.ts";
import type { ImageStore } from "./image-store.ts";
import type { Leases } from "./leases.ts";
import { PullError, type PullOptions, type PullProgress } from "./pull.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";
import { findLogin } from "./registry/logins.ts";
import { RegistryError } from "./registry/registry-error.ts";
import type { OpenRepository, Repository } from "./registry/repository.ts";
import { type Image, ImageError, type Runtime } from "./runtime.ts";
import { SharedWork } from "./shared-work.ts";

export interface ImagePullOptions {
  readonly registries: {
    readonly open: OpenRepository;
    /** The node's own logins; undefined: none. */
    readonly loginFile: string | undefined;
  };
  readonly leases: Leases;
  readonly store: ImageStore;
  /** The image of exactly this full name. */
  readonly named: (name: string) => Promise<Image | undefined>;
  readonly clock: Clock;
}

/** Chosen: images brought in at a time. Each has up to three layers under way; more would only share the same line. */
const CONCURRENT_IMAGES_MAX = 4;

/** See `Runtime.pullImage`. */
export function createImagePull(options: ImagePullOptions): Runtime["pullImage"] {
  const permits = new Permits(CONCURRENT_IMAGES_MAX);
  const fetches = new SharedWork<Image, PullProgress>();
  return async (text, pull) => {
    const reference = parseReference(text);
    if (reference === undefined) {
      const remedy =
        "a name is like app, app:1 or registry.example:5000/team/app:1, in small letters";
      const facts = { failure: "unusable", stage: "manifest", retries: 0, remedy } as const;
      throw new PullError(`invalid reference format: "${text}"`, facts);
    }
    const { repository, target } = await resolve(options, reference, pull);
    pull.onResolved?.(target.digest);
    const name = nameOf(reference);
    const here = await options.named(name);
    if (here?.digest === target.digest && here.origin === "pulled") return here;
    // The digest says all there is to fetch, whoever asks for it.
    return fetches.join(`${name} ${target.digest}`, pull, (onProgress, signal) =>
      permits.use(() =>
        asPullError("content", signal, () =>
          options.leases.with("pull", (lease) =>
            fetchImage({ ...options, repository, lease, onProgress, signal }, name, target),
          ),
        ),
      ),
    );
  };
}

async function resolve(
  { registries }: ImagePullOptions,
  reference: Reference,
  { auth, patience, signal }: PullOptions,
): Promise<{ repository: Repository; target: Descriptor }> {
  return asPullError("manifest", signal, async () => {
    const { loginFile } = registries;
    const login = auth ?? (loginFile && (await findLogin(loginFile, reference))) ?? undefined;
    const repository = registries.open(reference, login || undefined, patience);
    return { repository, target: await repository.resolve(signal) };
  });
}

/** What a pulled image is called: by its tag, or by its digest where one is given. */
function nameOf(reference: Reference): string {
  const { digest } = reference;
  return formatReference(digest === undefined ? reference : { ...reference, tag: undefined });
}

/** Gives every failure the form that `Runtime.pullImage` promises. */
async function asPullError<T>(
  stage: PullError["stage"],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UnavailableError || error instanceof PullError) throw error;
    if (isCode(error, Status.UNAVAILABLE)) {
      throw new UnavailableError("containerd went away during a pull", { cause: error });
    }
    if (error instanceof RegistryError) {
      const { failure, message, remedy, retries } = error;
      throw new PullError(message, { failure, stage, retries, remedy }, { cause: error });
    }
    const message = detailsOf(error);
    if (isNoSpace(error)) {
      const remedy = "remove images that are not needed: gantry image list, gantry image rm NAME";
      const facts = { failure: "noSpace", stage, retries: 0, remedy } as const;
      throw new PullError(`failed to register layer: ${message}`, facts, { cause: error });
    }
    if (!(error instanceof ImageError)) throw error;
    throw new PullError(message, { failure: "unusable", stage, retries: 0 }, { cause: error });
  }
}
