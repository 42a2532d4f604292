import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInterfaces, parseSystemCpu, readUsage } from "./container-stats.ts";

function reader(files: Readonly<Record<string, string>>) {
  return (_controller: string, file: string): string => files[file] ?? "";
}

test("readUsage() understands the files of cgroup version 1", () => {
  const usage = readUsage(
    1,
    reader({
      "cpuacct.usage": "3000000\n",
      "cpuacct.usage_user": "2000000\n",
      "cpuacct.usage_sys": "1000000\n",
      "cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 500\n",
      "memory.usage_in_bytes": "4096\n",
      "memory.max_usage_in_bytes": "8192\n",
      "memory.stat": "cache 100\nhierarchical_memory_limit 16384\ntotal_cache 120\n",
      "pids.current": "3\n",
      "blkio.throttle.io_service_bytes":
        "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\n8:16 Read 1\nTotal 31\n",
      "blkio.throttle.io_serviced": "8:0 Read 2\n8:0 Write 3\n",
    }),
  );
  assert.deepEqual(usage, {
    cpu: {
      totalNs: 3_000_000,
      userNs: 2_000_000,
      systemNs: 1_000_000,
      periods: 10,
      throttledPeriods: 4,
      throttledNs: 500,
    },
    memory: {
      usageBytes: 4096,
      limitBytes: 16_384,
      maxUsageBytes: 8192,
      cacheBytes: 120,
      stat: { cache: 100, hierarchical_memory_limit: 16_384, total_cache: 120 },
    },
    pids: 3,
    block: { readBytes: 11, writeBytes: 20, readOps: 2, writeOps: 3 },
  });
});

test("readUsage() understands the files of cgroup version 2, whose task limits those of its containers", () => {
  const usage = readUsage(
    2,
    reader({
      "cpu.stat":
        "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 1\nthrottled_usec 7\n",
      "memory.current": "4096\n",
      "memory.max": "max\n",
      "../memory.max": "65536\n",
      "memory.stat": "anon 1\nfile 99\n",
      "pids.current": "2\n",
      "io.stat":
        "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=5 wbytes=0 rios=1 wios=0\n",
    }),
  );
  assert.deepEqual(usage, {
    cpu: {
      totalNs: 30_000,
      userNs: 20_000,
      systemNs: 10_000,
      periods: 5,
      throttledPeriods: 1,
      throttledNs: 7000,
    },
    memory: {
      usageBytes: 4096,
      limitBytes: 65_536,
      maxUsageBytes: 4096,
      cacheBytes: 99,
      stat: { anon: 1, file: 99 },
    },
    pids: 2,
    block: { readBytes: 15, writeBytes: 20, readOps: 2, writeOps: 2 },
  });
});

test("readUsage() reads what Linux 6.12 writes of a container on a machine with systemd", async () => {
  const { block, cpu, memory } = await readUsage(
    2,
    reader({
      "cpu.stat":
        "usage_usec 2701525\nuser_usec 1116831\nsystem_usec 1584693\nnice_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\nnr_bursts 0\nburst_usec 0\n",
      "memory.current": "450560\n",
      "memory.peak": "15732736\n",
      "memory.max": "max\n",
      "../memory.max": "536870912\n",
      "memory.stat": "anon 122880\nfile 4096\nkernel 323584\ninactive_file 4096\n",
      "pids.current": "2\n",
      "io.stat": "",
    }),
  );
  assert.equal(cpu.totalNs, 2_701_525_000);
  assert.equal(memory.maxUsageBytes, 15_732_736);
  assert.equal(memory.limitBytes, 536_870_912);
  assert.equal(memory.cacheBytes, 4096);
  assert.deepEqual(block, { readBytes: 0, writeBytes: 0, readOps: 0, writeOps: 0 });
});

test("parseInterfaces() reads both halves of a line and leaves the loopback out", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     500       5    0    0    0     0          0         0      500       5    0    0    0     0       0          0
  eth0:1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0
`;
  assert.deepEqual(parseInterfaces(text), {
    eth0: {
      rxBytes: 1000,
      rxPackets: 10,
      rxErrors: 1,
      rxDropped: 2,
      txBytes: 2000,
      txPackets: 20,
      txErrors: 3,
      txDropped: 4,
    },
  });
});

test("parseSystemCpu() adds up the first seven columns in nanoseconds", () => {
  assert.equal(parseSystemCpu("cpu  1 2 3 4 5 6 7 100 100 100\ncpu0 9 9\n"), 280_000_000);
  assert.equal(parseSystemCpu(""), 0);
});
