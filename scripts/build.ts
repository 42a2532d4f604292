/** `npm run build`: `dist/`, what the npm package runs. Node strips no types below node_modules, so it is JavaScript. */
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Files that modules read from beside themselves. */
const ASSETS = ["src/door/shapes/*.json", "src/runtime/containerd/proto/*.proto"];

process.chdir(join(import.meta.dirname, ".."));
rmSync("dist", { recursive: true, force: true });
// Only what main.ts and the store's thread reach: no tests, no fixtures.
const { status } = spawnSync("node_modules/.bin/tsc", ["--project", "tsconfig.build.json"], {
  stdio: "inherit",
});
if (status !== 0) process.exit(status ?? 1);
for (const asset of ASSETS.flatMap((pattern) => globSync(pattern))) {
  const target = join("dist", relative("src", asset));
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(asset, target);
}
