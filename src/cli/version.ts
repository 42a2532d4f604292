import { readFileSync } from "node:fs";

/** Gantry's own version, from package.json. */
export const GANTRY_VERSION: string = readVersion();

/** `gantry version`. */
export function version(): number {
  process.stdout.write(`gantry ${GANTRY_VERSION} (node ${process.version})\n`);
  return 0;
}

/** Two folders up, in a clone (src/cli) and in the package (dist/cli). */
function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
