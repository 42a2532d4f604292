/** A quiet reporter for node:test: failures in full, skips with their reason, one line of counts at the end. */
import { inspect } from "node:util";

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly line?: number;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly message?: string;
    readonly details?: { readonly type?: string; readonly error?: unknown };
  };
}

/** Consumes the runner's events, yields what people read. */
async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const failing = new Set<string>();
  for await (const { type, data } of events) {
    if (type === "test:stderr" || type === "test:stdout") {
      yield data.message ?? "";
      continue;
    }
    if (type !== "test:pass" && type !== "test:fail") continue;
    const isSuite = data.details?.type === "suite";
    if (type === "test:fail") {
      // A failing suite repeats its tests' failures, unless it failed by itself.
      if (isSuite && String(inspect(data.details?.error)).includes("subtest")) continue;
      failed += 1;
      failing.add(data.file ?? "");
      yield `   FAIL ${data.name} (${data.file}:${data.line})\n${inspect(data.details?.error, { depth: 5 })}\n`;
    } else if (data.skip !== undefined && data.skip !== false) {
      skipped += 1;
      yield `   skip ${data.name}${typeof data.skip === "string" && data.skip !== "" ? `: ${data.skip}` : ""}\n`;
    } else if (!isSuite) {
      passed += 1;
    }
  }
  if (failing.size > 0) yield `   failing: ${[...failing].join(" ")}\n`;
  yield `   ${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

// biome-ignore lint/style/noDefaultExport: node:test loads a reporter by its default export
export default report;
