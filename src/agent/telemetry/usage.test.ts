import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerStats, InterfaceStats } from "../../runtime/runtime.ts";
import { cpuPercent, networkRates, UsageCollector } from "./usage.ts";

const MIB = 2 ** 20;
const NO_TRAFFIC: InterfaceStats = {
  rxBytes: 0,
  rxPackets: 0,
  rxErrors: 0,
  rxDropped: 0,
  txBytes: 0,
  txPackets: 0,
  txErrors: 0,
  txDropped: 0,
};

function sample(
  readAt: number,
  given: { cpuMs?: number; memoryMiB?: number; cacheMiB?: number; rxBytes?: number },
): ContainerStats {
  const { cacheMiB = 0, cpuMs = 0, memoryMiB = 0, rxBytes } = given;
  return {
    readAt,
    cpu: {
      totalNs: cpuMs * 1e6,
      userNs: 0,
      systemNs: 0,
      periods: 0,
      throttledPeriods: 0,
      throttledNs: 0,
    },
    onlineCpus: 4,
    systemCpuNs: 0,
    memory: {
      usageBytes: memoryMiB * MIB,
      limitBytes: 0,
      maxUsageBytes: 0,
      cacheBytes: cacheMiB * MIB,
      stat: {},
    },
    pids: 1,
    network: rxBytes === undefined ? {} : { eth0: { ...NO_TRAFFIC, rxBytes } },
    block: { readBytes: 7, writeBytes: 9, readOps: 0, writeOps: 0 },
  };
}

test("CPU is a percentage of the whole machine", () => {
  const previous = sample(0, { cpuMs: 0 });
  assert.equal(cpuPercent({ previous, current: sample(1000, { cpuMs: 4000 }) }), 100);
  assert.equal(cpuPercent({ previous, current: sample(1000, { cpuMs: 1000 }) }), 25);
  assert.equal(cpuPercent({ previous: undefined, current: previous }), undefined);
});

test("a counter or a clock that went back says nothing", () => {
  const previous = sample(1000, { cpuMs: 500, rxBytes: 100 });
  const restarted = sample(2000, { cpuMs: 10, rxBytes: 0 });
  assert.equal(cpuPercent({ previous, current: restarted }), undefined);
  assert.equal(networkRates({ previous, current: restarted }), undefined);
  const earlier = sample(900, { cpuMs: 600, rxBytes: 200 });
  assert.equal(cpuPercent({ previous, current: earlier }), undefined);
  assert.equal(networkRates({ previous, current: earlier }), undefined);
});

test("samples become sets, memory without the page cache", () => {
  const samples = [
    sample(0, { cpuMs: 0, memoryMiB: 30, cacheMiB: 10, rxBytes: 1000 }),
    sample(10_000, { cpuMs: 4_000, memoryMiB: 50, cacheMiB: 10, rxBytes: 3000 }),
    sample(20_000, { cpuMs: 12_000, memoryMiB: 30, cacheMiB: 0, rxBytes: 4000 }),
  ];
  const collector = new UsageCollector();
  samples.forEach((current, index) => {
    collector.add({ current, previous: samples[index - 1] });
  });
  const usage = collector.usage(1);
  assert.deepEqual(usage?.cpuStatsSet, { min: 10, max: 20, sampleCount: 2, sum: 30 });
  assert.deepEqual(usage?.memoryStatsSet, { min: 20, max: 40, sampleCount: 3, sum: 90 });
  assert.deepEqual(usage?.networkStatsSet?.rxBytes, {
    min: 1000,
    max: 4000,
    sampleCount: 3,
    sum: 8000,
    overflowMin: 0,
    overflowMax: 0,
    overflowSum: 0,
  });
  assert.deepEqual(usage?.networkStatsSet?.rxBytesPerSecond, {
    min: 100,
    max: 200,
    sampleCount: 2,
    sum: 300,
  });
  assert.equal(usage?.storageStatsSet?.writeSizeBytes?.max, 9);
});

test("containers that share a network share its traffic; the machine's own network has none", () => {
  const collector = new UsageCollector();
  const first = sample(0, { rxBytes: 0 });
  collector.add({ current: first, previous: undefined });
  collector.add({ current: sample(1000, { rxBytes: 1000 }), previous: first });
  assert.equal(collector.usage(2)?.networkStatsSet?.rxBytes?.max, 500);
  const onHost = new UsageCollector();
  onHost.add({ current: sample(0, {}), previous: undefined });
  assert.equal(onHost.usage(1), undefined, "one sample says nothing of the CPU");
  onHost.add({ current: sample(1000, {}), previous: sample(0, {}) });
  assert.equal(onHost.usage(1)?.networkStatsSet, undefined);
});
