/** Tier 0: the picture in docs/architecture.md stays true because this file checks it. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const SERVICES = ["ecs", "iam", "sts", "ec2", "logs", "secrets", "ssm"];

/** Folder (or file) below src → the folders it may import from. Its own is always allowed. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  store: ["lib"],
  runtime: ["lib"],
  protocol: ["lib"],
  telemetry: ["lib"],
  dataplane: ["lib", "protocol"],
  door: ["lib"],
  agent: ["protocol", "runtime", "dataplane", "lib"],
  cli: ["*"],
  "config.ts": ["settings.ts", "lib"],
  "settings.ts": ["lib"],
  "main.ts": ["*"],
  "server.ts": ["*"],
  "services.ts": ["*"],
  "node.ts": ["*"],
  "network-node.ts": ["*"],
  ...Object.fromEntries(
    SERVICES.map((service) => [
      service,
      ["store", "door", "protocol", "telemetry", "lib", "(model)"],
    ]),
  ),
};

/** Folders that decide and never act: no I/O, no clock, no randomness of their own. */
const PURE = [
  /^ecs\/model\//,
  /^ecs\/scheduler\//,
  /^iam\/policy\//,
  /^logs\/filter-pattern\//,
  /^[^/]+\/model\.ts$/,
  /^[^/]+\/model\//,
];

const sources = globSync("src/**/*.ts").sort();
const production = sources.filter((file) => !/\.(test|prop\.test)\.ts$/.test(file));

interface Import {
  readonly from: string;
  /** Path below src, or a package's name. */
  readonly to: string;
  readonly isRelative: boolean;
  readonly isTypeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  const pattern =
    /^(?:import|export)\s+(type\s)?[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|await import\("([^"]+)"\)/gms;
  return [...text.matchAll(pattern)].map((match) => {
    const target = match[2] ?? match[3] ?? match[4] ?? "";
    const isRelative = target.startsWith(".");
    return {
      from: file.slice("src/".length),
      to: isRelative ? normalize(join(dirname(file), target)).slice("src/".length) : target,
      isRelative,
      isTypeOnly: match[1] !== undefined,
    };
  });
}

function folderOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function isModel(path: string): boolean {
  // The policy engine is as pure as a model, and others read policies too.
  return /^[^/]+\/model(\.ts$|\/)|^iam\/policy\//.test(path);
}

test("every folder imports only what the layer table allows", () => {
  const wrong = production.flatMap(importsOf).filter(({ from, to, isRelative }) => {
    if (!isRelative || folderOf(from) === folderOf(to)) return false;
    const allowed = MAY_IMPORT[folderOf(from)] ?? [];
    if (allowed.includes("*") || allowed.includes(folderOf(to))) return false;
    return !(allowed.includes("(model)") && isModel(to));
  });
  assert.deepEqual(
    wrong.map(({ from, to }) => `${from} may not import ${to}`),
    [],
  );
});

test("every folder of src stands in the layer table", () => {
  const unknown = new Set(production.map((file) => folderOf(file.slice(4))));
  for (const folder of Object.keys(MAY_IMPORT)) unknown.delete(folder);
  assert.deepEqual([...unknown], []);
});

test("pure folders import nothing that acts, and name no clock", () => {
  const isPure = (path: string): boolean => PURE.some((pattern) => pattern.test(path));
  const wrong = production
    .filter((file) => isPure(file.slice(4)))
    .flatMap((file) => {
      const clock = /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval)\b/.exec(
        readFileSync(file, "utf8"),
      );
      const named = clock === null ? [] : [`${file} uses ${clock[0]}`];
      const imported = importsOf(file)
        .filter(({ to, isRelative, isTypeOnly }) => {
          if (isTypeOnly) return false;
          if (!isRelative) return to !== "node:crypto" && to !== "node:net";
          return !isPure(to) && folderOf(to) !== "lib";
        })
        .map(({ from, to }) => `${from} is pure, it may not import ${to}`);
      return [...named, ...imported];
    });
  assert.deepEqual(wrong, []);
});

test("time and chance enter from outside", () => {
  const homes = ["src/lib/clock.ts", "src/lib/random.ts"];
  const wrong = production
    .filter((file) => !homes.includes(file))
    .filter((file) => /\bMath\.random\b|\bDate\.now\(/.test(readFileSync(file, "utf8")));
  assert.deepEqual(wrong, []);
});

test("one module knows where the program's files are: bundling moves them", () => {
  const isTest = /\/testing\/|-testing\.ts$/;
  const wrong = production
    .filter((file) => file !== "src/lib/own-files.ts" && !isTest.test(file))
    .filter((file) => readFileSync(file, "utf8").includes("import.meta"));
  assert.deepEqual(wrong, []);
});

test("what is dear to import has one door, lib/builtins", () => {
  const importers = production
    .flatMap(importsOf)
    .filter(({ to, isTypeOnly }) => /^node:(http|util)$/.test(to) && !isTypeOnly)
    .map(({ from }) => from);
  assert.deepEqual(importers, []);
});

test("the SDK is never loaded at run time", () => {
  const wrong = production
    .flatMap(importsOf)
    .filter(({ to, isTypeOnly }) => to.startsWith("@aws-sdk/") && !isTypeOnly);
  assert.deepEqual(wrong, []);
});

test("files stay below 400 lines", () => {
  const wrong = [...sources, ...globSync("{test,scripts}/**/*.ts")]
    .map((file) => ({ file, lines: readFileSync(file, "utf8").split("\n").length }))
    .filter(({ lines }) => lines > 400)
    .map(({ file, lines }) => `${file}: ${lines}`);
  assert.deepEqual(wrong, []);
});

test("every run-time dependency has its reason in docs/decisions", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Record<
    string,
    Record<string, string>
  >;
  const papers = globSync("docs/decisions/*.md")
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  const names = [
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
  ];
  assert.deepEqual(
    names.filter((name) => !papers.includes(name)),
    [],
  );
});

test("nothing says TODO without an issue number", () => {
  const wrong = sources.filter((file) =>
    /\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/.test(readFileSync(file, "utf8")),
  );
  assert.deepEqual(wrong, []);
});
