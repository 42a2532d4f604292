import type { MetadataVersion } from "./task-document.ts";

/** What a request asks for, by its path (`ecs-agent-protocol` §5.6). */
export type Question =
  | { readonly kind: "credentials"; readonly credentialsId: string }
  | MetadataQuestion
  | { readonly kind: "protection" | "fault"; readonly containerId: string };

export interface MetadataQuestion {
  readonly kind: "metadata";
  readonly version: MetadataVersion;
  /** Absent in version 2, which knows callers by their address. */
  readonly containerId?: string;
  /** Version 2: the container that the question is about, by its runtime id. */
  readonly dockerId?: string;
  readonly about:
    | "container"
    | "task"
    | "taskWithTags"
    | "stats"
    | "taskStats"
    | "associations"
    | "association";
}

const ABOUT: Readonly<Record<string, MetadataQuestion["about"]>> = {
  "": "container",
  task: "task",
  taskWithTags: "taskWithTags",
  stats: "stats",
  "task/stats": "taskStats",
};

/** Reads a request target. Undefined: there is nothing at that path. */
export function parseQuestion(target: string): Question | undefined {
  const [path = "", query = ""] = target.split("?", 2);
  const [version, ...rest] = path.slice(1).split("/");
  // A slash at the end says nothing.
  if (rest.length > 1 && rest.at(-1) === "") rest.pop();
  switch (version) {
    case "v1":
      return rest.join("/") === "credentials"
        ? { kind: "credentials", credentialsId: new URLSearchParams(query).get("id") ?? "" }
        : undefined;
    case "v2":
      return parseV2(rest);
    case "v3":
    case "v4":
      return parseById(version === "v3" ? 3 : 4, rest);
    case "api":
      return parseApi(rest);
    default:
      return undefined;
  }
}

function parseV2([topic, id, ...more]: readonly string[]): Question | undefined {
  if (more.length > 0) return undefined;
  const container = id ? { dockerId: id } : {};
  const metadata = { kind: "metadata", version: 2, ...container } as const;
  switch (topic) {
    case "credentials":
      return { kind: "credentials", credentialsId: id ?? "" };
    case "metadata":
      return { ...metadata, about: id ? "container" : "task" };
    case "metadataWithTags":
      return { ...metadata, about: id ? "container" : "taskWithTags" };
    case "stats":
      return { ...metadata, about: id ? "stats" : "taskStats" };
    default:
      return undefined;
  }
}

function parseById(
  version: 3 | 4,
  [containerId, ...rest]: readonly string[],
): Question | undefined {
  if (!containerId) return undefined;
  const [topic, type, name] = rest;
  const isAssociation = topic === "associations" && !!type && rest.length <= 3;
  const about = isAssociation
    ? name
      ? ("association" as const)
      : ("associations" as const)
    : ABOUT[rest.join("/")];
  return about && { kind: "metadata", version, containerId, about };
}

function parseApi([containerId, ...rest]: readonly string[]): Question | undefined {
  if (!containerId) return undefined;
  if (rest.join("/") === "task-protection/v1/state") return { kind: "protection", containerId };
  const isFault =
    rest.length === 4 &&
    rest[0] === "fault" &&
    rest[1] === "v1" &&
    FAULT_ACTIONS.has(rest[3] ?? "");
  return isFault ? { kind: "fault", containerId } : undefined;
}

const FAULT_ACTIONS = new Set(["start", "stop", "status"]);
