import assert from "node:assert/strict";
import { test } from "node:test";
import { isFargateSize } from "./fargate-sizes.ts";

test("there are exactly 74 FARGATE sizes", () => {
  const pairs = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768].flatMap((cpuUnits) =>
    Array.from({ length: 512 }, (_, index) => (index + 1) * 512).filter((memoryMiB) =>
      isFargateSize(cpuUnits, memoryMiB),
    ),
  );
  assert.equal(pairs.length, 74);
});

test("isFargateSize() knows the ends of every row, and what lies beside them", () => {
  const rows: readonly [number, number, number, number][] = [
    [256, 512, 2048, 512],
    [512, 1024, 4096, 1024],
    [1024, 2048, 8192, 1024],
    [2048, 4096, 16384, 1024],
    [4096, 8192, 30720, 1024],
    [8192, 16384, 61440, 4096],
    [16384, 32768, 122880, 8192],
  ];
  for (const [cpuUnits, least, most, step] of rows) {
    assert.equal(isFargateSize(cpuUnits, least), true);
    assert.equal(isFargateSize(cpuUnits, most), true);
    assert.equal(isFargateSize(cpuUnits, least - step), false);
    assert.equal(isFargateSize(cpuUnits, most + step), false);
    assert.equal(isFargateSize(cpuUnits, least + 1), false);
  }
  assert.equal(isFargateSize(256, 1536), false);
  assert.equal(isFargateSize(300, 1024), false);
  assert.equal(isFargateSize(Number.NaN, 512), false);
});
