/**
 * Writes `docs/compatibility.md` from the operation tables of the services: what a caller may expect of every
 * operation that AWS has.
 *
 *   bin/gantry-node scripts/compatibility.ts            writes the file
 *   bin/gantry-node scripts/compatibility.ts --check    writes nothing; fails when the file is not what the tables say
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Service } from "../src/door/service.ts";
import { loadShapes, SERVICE_TABLE } from "../src/door/service-table.ts";
import { ec2Service } from "../src/ec2/operations.ts";
import { ecsAgentOperations } from "../src/ecs/operations/agent-table.ts";
import { ecsService } from "../src/ecs/operations/table.ts";
import { iamService } from "../src/iam/service.ts";
import { messageOf } from "../src/lib/errors.ts";
import { logsService } from "../src/logs/operations.ts";
import { secretsService } from "../src/secrets/operations.ts";
import { ssmService } from "../src/ssm/operations.ts";
import { stsService } from "../src/sts/operations.ts";

const FILE = fileURLToPath(new URL("../docs/compatibility.md", import.meta.url));

/** What the tables are made with: they only say what there is, and nothing of it is called. */
const inert: never = new Proxy(() => inert, { get: () => inert, apply: () => inert }) as never;

/** Every service that has operations. */
function services(): readonly Service[] {
  return [
    ecsService(inert, ecsAgentOperations(inert)),
    ec2Service(inert),
    iamService(inert),
    logsService(inert),
    secretsService(inert),
    ssmService(inert),
    stsService(inert),
  ];
}

/** One service's operations by how much of them is here. */
interface Coverage {
  readonly name: string;
  readonly full: readonly string[];
  readonly partial: readonly (readonly [operation: string, missing: string])[];
  readonly refused: readonly (readonly [operation: string, why: string])[];
  readonly notYet: readonly string[];
  /** Operations that not even the shapes hold. */
  readonly nameOnlyCount: number;
}

function coverageOf(name: string, operations: Service["operations"]): Coverage {
  const shapes = loadShapes(name);
  const names = shapes.operationNames();
  const rows = names.map((operation) => [operation, operations[operation]] as const);
  return {
    name,
    full: rows.filter(([, row]) => row?.support === "full").map(([operation]) => operation),
    partial: rows.flatMap(([operation, row]) =>
      row?.support === "partial" ? [[operation, row.missing] as const] : [],
    ),
    refused: rows.flatMap(([operation, row]) =>
      row?.support === "refused" ? [[operation, row.why] as const] : [],
    ),
    notYet: rows.filter(([, row]) => row === undefined).map(([operation]) => operation),
    nameOnlyCount: shapes.nameOnlyOperations().length,
  };
}

/** The text of `docs/compatibility.md`. */
export function compatibilityText(): string {
  const byName = new Map(services().map(({ name, operations }) => [name, operations]));
  const all = SERVICE_TABLE.map(({ name }) => coverageOf(name, byName.get(name) ?? {}));
  return `${HEAD}${summary(all)}\n${all.filter(isBegun).map(chapter).join("\n")}`;
}

const HEAD = `# Compatibility

Which operations of AWS are here, by service, in the AWS CLI's names. Made from the operation tables of the sources by
\`scripts/compatibility.ts\`; a test fails when it is out of date.

- **full**: inputs, outputs, errors and effects as AWS documents them.
- **partial**: the same, but for what the table names as missing.
- **refused**: AWS has it and this program has decided not to: the table says why. Answers 501 \`NotImplemented\`.
- **not yet**: known by name, input and output, and answers 501 \`NotImplemented\`, which no SDK retries.

`;

function summary(all: readonly Coverage[]): string {
  const lines = all.map((one) => {
    const notYet = one.notYet.length + one.nameOnlyCount;
    const counts = [one.full.length, one.partial.length, one.refused.length, notYet];
    return `| ${one.name} | ${counts.join(" | ")} |`;
  });
  return `| service | full | partial | refused | not yet |\n| --- | --- | --- | --- | --- |\n${lines.join("\n")}\n`;
}

function isBegun({ full, partial, refused }: Coverage): boolean {
  return full.length + partial.length + refused.length > 0;
}

function chapter({ name, full, partial, refused, notYet }: Coverage): string {
  const parts = [
    full.length > 0 ? `**Full**: ${full.join(", ")}\n` : "",
    partial.length > 0 ? table("partial", "missing", partial) : "",
    refused.length > 0 ? table("refused", "why", refused) : "",
    notYet.length > 0 ? `**Not yet**: ${notYet.join(", ")}\n` : "",
  ];
  return `## ${name}\n\n${parts.filter((part) => part !== "").join("\n")}`;
}

function table(
  first: string,
  second: string,
  rows: readonly (readonly [operation: string, note: string])[],
): string {
  const lines = rows.map(
    ([operation, note]) => `| ${operation} | ${note.replaceAll("|", "\\|")} |`,
  );
  return `| ${first} | ${second} |\n| --- | --- |\n${lines.join("\n")}\n`;
}

if (import.meta.main) {
  try {
    const text = compatibilityText();
    if (!process.argv.includes("--check")) writeFileSync(FILE, text);
    else if (readFileSync(FILE, "utf8") !== text) {
      throw new Error(
        "docs/compatibility.md is out of date: bin/gantry-node scripts/compatibility.ts",
      );
    }
  } catch (error) {
    process.stderr.write(`compatibility: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
