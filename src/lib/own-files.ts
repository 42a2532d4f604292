/** Where the program's own files are. A clone runs `src/**.ts`; in the package all of that is in `dist/`, bundled (`scripts/build.ts`). */

/** Whether this is the npm package. */
export const isPackage: boolean = import.meta.url.endsWith(".js");

/** `src/` or `dist/`: bundling puts this module into a file at the top of `dist/`. */
const root = new URL(isPackage ? "./" : "../", import.meta.url);

/** A file that is no module, by its path below `src/`. */
export function ownFile(path: string): URL {
  return new URL(path, root);
}

/** A module that Node is told to run by itself, by its path below `src/` without the ending. */
export function ownModule(path: string): URL {
  return new URL(`${path}${isPackage ? ".js" : ".ts"}`, root);
}
