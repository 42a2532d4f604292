/** Runs the tiers of the test pyramid, each in its own process, and adds up what they say. See docs/testing.md. */

import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { resolve } from "node:path";

interface Tier {
  readonly name: string;
  readonly what: string;
  /** A command, or test files for the runner. */
  readonly command?: readonly string[];
  readonly files?: readonly string[];
  /** `none`: all files in one process, fast; for code that shares nothing and starts nothing. */
  readonly isolation?: "none" | "process";
  /** Runs only where it is asked for. */
  readonly isByName?: true;
}

const UNIT_FILES = ["src", "scripts", "test/bench", "test/images"].map(
  (at) => `${at}/**/*.test.ts`,
);

const TIERS: readonly Tier[] = [
  { name: "types", what: "tsc, strict", command: ["node_modules/.bin/tsc", "--noEmit"] },
  { name: "lint", what: "format and lint", command: ["node_modules/.bin/biome", "check", "."] },
  { name: "tidy", what: "layers, sizes, papers", files: ["test/tidy.test.ts"], isolation: "none" },
  { name: "unit", what: "units, properties, contracts", files: UNIT_FILES, isolation: "process" },
  { name: "sim", what: "simulated worlds", files: ["test/sim/*.test.ts"], isolation: "process" },
  {
    name: "conformance",
    what: "real SDK and CLI; the gantry command and its package",
    files: ["test/conformance/**/*.test.ts", "test/cli/**/*.test.ts"],
    isolation: "process",
  },
  { name: "e2e", what: "real containers", files: ["test/e2e/**/*.test.ts"], isolation: "process" },
  {
    name: "chaos",
    what: "real machines in trouble",
    files: ["test/chaos/*.test.ts"],
    isolation: "process",
    isByName: true,
  },
];

/** Chosen: more than this is no hiccup of the machine. */
const UNSTEADY_FILES_MAX = 3;

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !TIERS.some((tier) => tier.name === name));
if (unknown.length > 0) {
  console.error(
    `no such tier: ${unknown.join(", ")}; there are ${TIERS.map((tier) => tier.name).join(", ")}`,
  );
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const tier of TIERS) {
  if (wanted.length > 0 ? !wanted.includes(tier.name) : tier.isByName) continue;
  console.log(`\n== ${tier.name}: ${tier.what}`);
  const startedAt = performance.now();
  const outcome =
    tier.command === undefined ? await runFiles(tier) : await runCommand(tier.command);
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`   ${tier.name}: ${describe(outcome)} in ${seconds} s`);
}
console.log(`\n${describe(total)}`);
process.exitCode = total.failed > 0 ? 1 : 0;

function describe({ passed, failed, skipped }: Outcome): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

async function runCommand([program = "", ...args]: readonly string[]): Promise<Outcome> {
  const { code } = await run(program, args);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

async function runFiles(tier: Tier): Promise<Outcome> {
  const files = (tier.files ?? []).flatMap((pattern) => globSync(pattern)).sort();
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const { failing, ...first } = await runOnce(tier, files);
  // A suite that several files share has failed in one that the report does not name.
  const named = new Set(files.map((file) => resolve(file)));
  const mayRepeat =
    failing.length <= UNSTEADY_FILES_MAX && failing.every((file) => named.has(file));
  // Chaos draws anew each time: what passes then says nothing of what failed.
  if (failing.length === 0 || !mayRepeat || tier.isByName) return first;
  // Real containers and networks on a machine that may stop for a minute: once more, and said aloud.
  console.log(`   once more, by themselves: ${failing.join(" ")}`);
  const { failing: again, failed } = await runOnce(tier, failing, 1);
  const steady = failing.filter((file) => !again.includes(file));
  for (const file of steady) console.log(`   UNSTEADY ${file}: passed the second time`);
  return { ...first, failed, passed: first.passed + Math.max(0, first.failed - failed) };
}

async function runOnce(
  tier: Tier,
  files: readonly string[],
  concurrency = tier.name === "e2e" || tier.name === "chaos" ? 1 : 2,
): Promise<Outcome & { readonly failing: readonly string[] }> {
  const { code, output } = await run(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    "--test",
    `--test-isolation=${tier.isolation ?? "process"}`,
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${tier.name === "sim" || tier.name === "chaos" ? 900_000 : 300_000}`,
    "--test-reporter=./scripts/test-reporter.ts",
    "--test-reporter-destination=stdout",
    ...files,
  ]);
  const counts = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(output);
  if (counts === null) return { passed: 0, failed: 1, skipped: 0, failing: [] };
  const failing = /^ +failing: (.*)$/m.exec(output)?.[1]?.split(" ").filter(Boolean) ?? [];
  const [passed, failed, skipped] = counts.slice(1).map(Number) as [number, number, number];
  // A runner that fails although each test passed (a leaked handle, a crash at exit) has failed.
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped, failing };
}

function run(
  program: string,
  args: readonly string[],
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      process.stdout.write(chunk);
      output = (output + chunk).slice(-10_000);
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}
