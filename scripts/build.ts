/**
 * `npm run build`: `dist/`, what the npm package runs. Node strips no types below node_modules, so it is JavaScript, and bundled:
 * loading some hundred modules one by one was half of a start. What is imported late stays in files of its own.
 */
import { copyFileSync, globSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";

/** What Node is told to run; see `src/lib/own-files.ts`. */
const ENTRY_POINTS = ["src/main.ts", "src/store/sqlite-worker.ts"];
/** Files that are no modules. */
const ASSETS = ["src/door/shapes/*.json", "src/runtime/containerd/proto/*.proto"];

process.chdir(join(import.meta.dirname, ".."));
rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: ENTRY_POINTS,
  outbase: "src",
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  packages: "external",
  // Names of classes and functions in stack traces and errors stay those of the sources.
  keepNames: true,
  logLevel: "warning",
});
for (const asset of ASSETS.flatMap((pattern) => globSync(pattern))) {
  const target = join("dist", relative("src", asset));
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(asset, target);
}
