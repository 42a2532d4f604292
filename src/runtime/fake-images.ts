/** The images of the fake runtime: some were loaded, others come out of a registry that does as it is told. */
import type { Clock } from "../lib/clock.ts";
import { PullError, type PullOptions } from "./pull.ts";
import { type Image, ImageError, type Runtime } from "./runtime.ts";

/** How an image's pull goes. */
export interface FakePull {
  /** Milliseconds until it is here, or fails. `"hangs"`: until it is given up. */
  readonly takes: number | "hangs";
  readonly error?: PullError;
}

export interface FakeImages
  extends Pick<
    Runtime,
    "findImage" | "loadImage" | "pullImage" | "listImages" | "removeImage" | "removeUnusedImages"
  > {
  /** References of the images that were pulled, once for each time. */
  readonly pulls: readonly string[];
}

/** No test waits so long. */
const FOREVER_MS = 365 * 24 * 3_600_000;

/** An image is here from the start when its script says nothing of a pull; one without a script is nowhere. */
export function createFakeImages(
  clock: Clock,
  scriptOf: (reference: string) => { readonly pull?: FakePull } | undefined,
): FakeImages {
  const pulled = new Set<string>();
  const pulls: string[] = [];
  return {
    pulls,
    findImage: async (reference) => {
      const script = scriptOf(reference);
      if (script === undefined) return undefined;
      if (script.pull === undefined) return imageOf(reference, "loaded");
      return pulled.has(reference) ? imageOf(reference, "pulled") : undefined;
    },
    loadImage: async () => {
      throw new ImageError("the fake runtime loads no images");
    },
    listImages: async () =>
      [...pulled].map((name) => {
        const { digest, origin } = imageOf(name, "pulled");
        return { name, digest, origin, storedAt: 0, bytes: 0, usedBy: [] };
      }),
    removeImage: async (reference) => (pulled.delete(reference) ? reference : undefined),
    removeUnusedImages: async ({ countMax, referenced }) => {
      const unused = [...pulled].filter((name) => !referenced.includes(name)).slice(0, countMax);
      for (const name of unused) pulled.delete(name);
      return unused;
    },
    pullImage: async (reference, { onResolved, signal }: PullOptions) => {
      const pull = scriptOf(reference)?.pull;
      if (pull === undefined) {
        const facts = { failure: "notFound", stage: "manifest", retries: 0 } as const;
        throw new PullError(`manifest for ${reference} not found: manifest unknown`, facts);
      }
      const { error, takes } = pull;
      const image = imageOf(reference, "pulled");
      if (error?.stage !== "manifest") onResolved?.(image.digest);
      await clock.sleep(takes === "hangs" ? FOREVER_MS : takes, signal);
      signal.throwIfAborted();
      if (error !== undefined) throw error;
      pulled.add(reference);
      pulls.push(reference);
      return image;
    },
  };
}

function imageOf(reference: string, origin: Image["origin"]): Image {
  return {
    name: reference,
    origin,
    digest: `sha256:${Buffer.from(reference).toString("hex").padEnd(64, "0").slice(0, 64)}`,
    config: {
      entrypoint: [],
      command: ["run"],
      environment: [],
      workingDirectory: "",
      user: "",
      stopSignal: "SIGTERM",
      volumes: [],
    },
  };
}
