/**
 * `build.ts DIRECTORY`: the sources as JavaScript, bundled: loading some hundred modules one by one was half of a start. What is imported late stays in files of its own.
 * `npm run build` makes `dist/` of them, what the npm package runs, since Node strips no types below node_modules; `npm start` and `npm test` make `build/`, what a clone runs.
 * A Gantry that runs from the directory goes on: each file appears whole, under a name made of its contents, and those of former builds stay for a day.
 */
import {
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { build } from "esbuild";

/** What Node is told to run; see `src/lib/own-files.ts`. */
const ENTRY_POINTS = ["src/main.ts", "src/store/sqlite-worker.ts"];
/** Files that are no modules. */
const ASSETS = ["src/door/shapes/*.json", "src/runtime/containerd/proto/*.proto"];
/** Chosen: for a Gantry of a former build that loads a module late. */
const FORMER_FILES_KEPT_MS = 24 * 60 * 60 * 1000;

process.chdir(join(import.meta.dirname, ".."));
const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: build.ts DIRECTORY");
const startedAt = new Date();
const { outputFiles } = await build({
  entryPoints: ENTRY_POINTS,
  outbase: "src",
  outdir: directory,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  packages: "external",
  // Names of classes and functions in stack traces and errors stay those of the sources.
  keepNames: true,
  logLevel: "warning",
  write: false,
});
const files = new Map<string, Uint8Array>(
  outputFiles.map(({ path, contents }) => [relative(resolve(directory), path), contents]),
);
for (const asset of ASSETS.flatMap((pattern) => globSync(pattern))) {
  files.set(relative("src", asset), readFileSync(asset));
}
// The program's first file comes last, with the time before the sources were read: one that was changed since is newer (is-built.sh).
const isFirst = (path: string): boolean => path === "main.js";
for (const [path, contents] of [...files].sort(
  ([a], [b]) => Number(isFirst(a)) - Number(isFirst(b)),
)) {
  replaceFile(join(directory, path), contents, isFirst(path) ? startedAt : undefined);
}
for (const path of globSync("**/*", { cwd: directory })) {
  const full = join(directory, path);
  const stats = statSync(full, { throwIfNoEntry: false });
  if (stats === undefined || stats.isDirectory() || files.has(path)) continue;
  if (startedAt.getTime() - stats.mtimeMs > FORMER_FILES_KEPT_MS) rmSync(full, { force: true });
}

/** Whoever reads it meanwhile sees it whole, as it was or as it is. */
function replaceFile(path: string, contents: Uint8Array, modifiedAt?: Date): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, contents);
  if (modifiedAt !== undefined) utimesSync(draft, modifiedAt, modifiedAt);
  renameSync(draft, path);
}
