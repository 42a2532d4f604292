/** Names of images as people write them, in Docker's grammar: `[registry[:port]/]path[:tag][@digest]`. */
export interface Reference {
  /** `docker.io`, `localhost:5000`, `111122223333.dkr.ecr.us-east-1.amazonaws.com`. */
  readonly registry: string;
  /** Path within the registry, e.g. `library/hello`. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** `sha256:…`. */
  readonly digest: string | undefined;
}

const REGISTRY_DEFAULT = "docker.io";
const TAG_DEFAULT = "latest";
/** The limit of the distribution specification on registry and path together. */
const NAME_LENGTH_MAX = 255;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
/** Each component begins behind a dot and nowhere else: names come from users, and an expression must not try two ways. */
const REGISTRY =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::\d+)?$|^\[[0-9a-fA-F:]+\](?::\d+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}$/;

/** Reads an image's name; undefined when it is none. A name without tag and digest means the tag `latest`. */
export function parseReference(text: string): Reference | undefined {
  const [name = "", digest, ...more] = text.split("@");
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) return undefined;
  const colon = name.lastIndexOf(":");
  const tagged = colon > name.lastIndexOf("/");
  const tag = tagged ? name.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  const { registry, repository } = splitRegistry(tagged ? name.slice(0, colon) : name);
  if (registry.length + repository.length >= NAME_LENGTH_MAX) return undefined;
  if (!REGISTRY.test(registry)) return undefined;
  if (!repository.split("/").every((part) => COMPONENT.test(part))) return undefined;
  return {
    registry,
    repository,
    tag: tag ?? (digest === undefined ? TAG_DEFAULT : undefined),
    digest,
  };
}

/** The full form, e.g. `docker.io/library/hello:latest`: parsing it again gives the same reference. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  const suffix = `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  return `${registry}/${repository}${suffix}`;
}

/** The first component is a registry only if it cannot be a folder of Docker Hub: it has a dot or port, or is localhost. */
function splitRegistry(name: string): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  if (/[.:A-Z]/.test(first) || first === "localhost") {
    const repository = name.slice(slash + 1);
    const isHub = first === REGISTRY_DEFAULT || first === "index.docker.io";
    return isHub
      ? { registry: REGISTRY_DEFAULT, repository: hubRepository(repository) }
      : { registry: first, repository };
  }
  return { registry: REGISTRY_DEFAULT, repository: hubRepository(name) };
}

function hubRepository(path: string): string {
  return path.includes("/") ? path : `library/${path}`;
}
