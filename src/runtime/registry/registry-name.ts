/** Docker's rules about the names of registries. */
import { isIPv4 } from "node:net";
import type { Reference } from "../reference.ts";
import type { Subject } from "./registry-error.ts";

/** Where Docker Hub's API is. */
const HUB_NAME = "docker.io";
const HUB_HOST = "registry-1.docker.io";

/** Host and port of a registry's API. */
export function hostOf(registry: string): string {
  return registry === HUB_NAME ? HUB_HOST : registry;
}

/** This machine's own registries may speak plain HTTP: nobody can listen in between. */
export function isLoopback(registry: string): boolean {
  const host = registry.replace(/:\d+$/, "");
  if (host === "localhost" || host === "[::1]") return true;
  return isIPv4(host) && host.startsWith("127.");
}

/** The short form that people write: without Docker Hub's name and its folder `library`. */
export function familiar({ registry, repository, tag, digest }: Reference): Subject {
  const short =
    registry === HUB_NAME ? repository.replace(/^library\//, "") : `${registry}/${repository}`;
  return {
    repository: short,
    reference: digest === undefined ? `${short}:${tag}` : `${short}@${digest}`,
  };
}
