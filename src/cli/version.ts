import manifest from "../../package.json" with { type: "json" };

/** Gantry's own version, from package.json. */
export const GANTRY_VERSION: string = manifest.version;

/** `gantry version`. */
export function version(): number {
  process.stdout.write(`gantry ${GANTRY_VERSION} (node ${process.version})\n`);
  return 0;
}
