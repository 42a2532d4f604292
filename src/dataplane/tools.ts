import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { SetupError } from "../lib/errors.ts";

/** The Debian package of each tool. */
const TOOLS = {
  ip: "iproute2",
  bridge: "iproute2",
  nft: "nftables",
  conntrack: "conntrack",
  nsenter: "util-linux",
  sh: "dash",
} as const;
/** A program that the network is made with. */
export type Tool = keyof typeof TOOLS;

/** PATH, and the system directories that `su` and cron leave out of it. */
export function executableDirectories(): readonly string[] {
  return [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
}

/** Where each tool is. Throws SetupError naming the Debian package of one that is missing. */
export function findTools(directories: readonly string[]): Readonly<Record<Tool, string>> {
  const find = (tool: Tool): string => {
    const path = directories.map((directory) => join(directory, tool)).find(isExecutable);
    if (path !== undefined) return path;
    throw new SetupError(
      `the network needs the program ${tool}, which is not installed: apt-get install ${TOOLS[tool]}`,
    );
  };
  return {
    ip: find("ip"),
    bridge: find("bridge"),
    nft: find("nft"),
    conntrack: find("conntrack"),
    nsenter: find("nsenter"),
    sh: find("sh"),
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
