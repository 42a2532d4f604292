import { readFileSync } from "node:fs";
import { ownFile } from "../lib/own-files.ts";

/** Gantry's own version, from package.json. */
export const GANTRY_VERSION: string = readVersion();

/** `gantry version`. */
export function version(): number {
  process.stdout.write(`gantry ${GANTRY_VERSION} (node ${process.version})\n`);
  return 0;
}

function readVersion(): string {
  const text = readFileSync(ownFile("../package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
