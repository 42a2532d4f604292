import assert from "node:assert/strict";
import { test } from "node:test";
import { asRuntimeError, givenLabels, recordLabels } from "./engine.ts";

const NOT_FOUND = 'exec: "nosuch": executable file not found in $PATH';

test("asRuntimeError() keeps the reason out of what containerd and runc of every version wrap around it", () => {
  const head = "failed to create shim task: OCI runtime create failed: runc create failed";
  for (const [details, reason] of [
    // runc 1.1.5 under containerd 1.6.20
    [`${head}: unable to start container process: ${NOT_FOUND}: unknown`, NOT_FOUND],
    // runc 1.3.6 under containerd 2.1.9
    [
      `${head}: unable to start container process: error during container init: ${NOT_FOUND}`,
      NOT_FOUND,
    ],
    ["snapshot x does not exist: not found", "snapshot x does not exist: not found"],
  ] as const) {
    const error = Object.assign(new Error(`2 UNKNOWN: ${details}`), { details });
    assert.equal(asRuntimeError(error).message, reason);
  }
});

test("recordLabels() leaves out what containerd would refuse the whole container for", () => {
  const taskLimits = { cpuUnits: undefined, memoryBytes: undefined };
  const frame = { outputPath: "/o", terminal: false, taskLimits };
  const fits = { "gantry.task": "arn", longest: "x".repeat(4096 - "longest".length) };
  const labels = recordLabels({ ...fits, "ad.checks": "é".repeat(2048) }, "t", frame);
  assert.deepEqual(Object.keys(givenLabels({ labels })), Object.keys(fits));
});
