/**
 * Where the program's own files are. A clone runs `src/**.ts`, or what was made of it in `build/`; in the package that is in `dist/`.
 * Both are bundled (`scripts/build.ts`), and all three stand beside each other.
 */
import { existsSync } from "node:fs";

const isBundled = import.meta.url.endsWith(".js");

/** `src/`, `build/` or `dist/`: bundling puts this module into a file at the top. */
const root = new URL(isBundled ? "./" : "../", import.meta.url);

/** Whether this is the npm package, not a clone. */
export const isPackage: boolean = isBundled && !existsSync(new URL("../src/main.ts", root));

/** What starts the program as it is at that time, with the Node and the flags that it is meant for. */
export const ownProgram: URL = new URL("../bin/gantry", root);

/** A file that is no module, by its path below `src/`. */
export function ownFile(path: string): URL {
  return new URL(path, root);
}

/** A module that Node is told to run by itself, by its path below `src/` without the ending. */
export function ownModule(path: string): URL {
  return new URL(`${path}${isBundled ? ".js" : ".ts"}`, root);
}
