import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTaskCpu, parseTaskMemory } from "./task-size.ts";

test("parseTaskCpu() reads units and vCPUs", () => {
  for (const [text, units] of [
    ["1024", 1024],
    ["1 vCPU", 1024],
    ["1vcpu", 1024],
    [".5 vCPU", 512],
    ["0.25 VCPU", 256],
    ["0.125 vcpu", 128],
    ["192 vCPU", 196_608],
    ["127", undefined],
    ["196609", undefined],
    ["0.1 vCPU", undefined],
    ["one", undefined],
    ["", undefined],
    ["-1", undefined],
  ] as const) {
    assert.equal(parseTaskCpu(text), units, text);
  }
});

test("parseTaskMemory() reads MiB and GB", () => {
  for (const [text, mebibytes] of [
    ["2048", 2048],
    ["2GB", 2048],
    ["2 GB", 2048],
    ["0.5gb", 512],
    [".5 GB", 512],
    ["0", undefined],
    ["2 TB", undefined],
    ["", undefined],
    ["0.0001 GB", undefined],
  ] as const) {
    assert.equal(parseTaskMemory(text), mebibytes, text);
  }
});
