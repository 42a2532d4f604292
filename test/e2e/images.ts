import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerDefinition } from "@aws-sdk/client-ecs";
import { command } from "./gantry-kit.ts";

/** Builds the example's image as a tar file in the temporary directory; the caller removes it. */
export async function buildHelloImage(format: "oci" | "docker" = "oci"): Promise<string> {
  const archive = join(tmpdir(), `gantry-hello-${process.pid}.tar`);
  const { code, stderr } = await command("bin/gantry-node", [
    "scripts/busybox-image.ts",
    archive,
    "--name",
    "hello:latest",
    "--format",
    format,
  ]);
  assert.equal(code, 0, stderr);
  return archive;
}

/** A container named `main` of that image. Its first process, httpd, handles no SIGTERM as PID 1: it only ends by SIGKILL. */
export function helloContainer(override: Partial<ContainerDefinition>): ContainerDefinition {
  return { name: "main", image: "hello:latest", memory: 64, stopTimeout: 2, ...override };
}
