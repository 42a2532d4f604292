import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, SetupError } from "../lib/errors.ts";
import type { NodeKeys } from "../protocol/node-join.ts";
import { replaceFile } from "./data-directory.ts";

/** What a machine that has joined knows of its server. Kept in the data directory (0600). */
export interface Membership extends NodeKeys {
  readonly endpoint: string;
  /** PEM; undefined: a public authority, or plain HTTP. */
  readonly ca?: string | undefined;
}

/** The membership of a data directory; undefined when it has not joined. Throws SetupError when it is damaged. */
export async function readMembership(dataDirectory: string): Promise<Membership | undefined> {
  const path = membershipPath(dataDirectory);
  // A place that cannot be looked into is named by whoever opens the directory.
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(await readFile(path, "utf8")) as Membership;
  } catch (cause) {
    throw new SetupError(
      `cannot read ${path}: ${messageOf(cause)}; restore it, or join anew with an empty data directory`,
      { cause },
    );
  }
}

/** Replaces it whole. When it resolves, the disk has it: the server then withdraws the older keys. */
export async function writeMembership(
  dataDirectory: string,
  membership: Membership,
): Promise<void> {
  await replaceFile(membershipPath(dataDirectory), membership, "durable");
}

function membershipPath(dataDirectory: string): string {
  return join(dataDirectory, "membership.json");
}
