/** A container's stats in the form of Docker's API, which is what the ECS agent hands on. Pure. */
import type { ContainerStats, InterfaceStats } from "../../runtime/runtime.ts";
import { networkRates, type StatsPair } from "../telemetry/usage.ts";
import type { MetadataVersion } from "./task-document.ts";
import { timestamp } from "./timestamp.ts";

/** Docker's word for a time that has not come: Go's zero. */
const NEVER = "0001-01-01T00:00:00Z";

/** The latest sample, and the one before where it matters. */
export function statsDocument(
  id: string,
  name: string,
  pair: StatsPair,
  version: MetadataVersion,
): object {
  const { current, previous } = pair;
  const rates = version === 4 ? networkRates(pair) : undefined;
  const interfaces = Object.entries(current.network);
  return {
    read: timestamp(current.readAt),
    preread: previous === undefined ? NEVER : timestamp(previous.readAt),
    pids_stats: { current: current.pids },
    blkio_stats: blockStats(current),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(current),
    precpu_stats: previous === undefined ? NO_CPU_STATS : cpuStats(previous),
    memory_stats: {
      usage: current.memory.usageBytes,
      max_usage: current.memory.maxUsageBytes,
      stats: current.memory.stat,
      limit: current.memory.limitBytes,
    },
    name,
    id,
    networks:
      interfaces.length === 0
        ? undefined
        : Object.fromEntries(interfaces.map(([name, stats]) => [name, interfaceStats(stats)])),
    network_rate_stats: rates && { rx_bytes_per_sec: rates.rx, tx_bytes_per_sec: rates.tx },
  };
}

function cpuStats({ cpu, systemCpuNs, onlineCpus }: ContainerStats): object {
  return {
    cpu_usage: {
      total_usage: cpu.totalNs,
      usage_in_kernelmode: cpu.systemNs,
      usage_in_usermode: cpu.userNs,
    },
    system_cpu_usage: systemCpuNs,
    online_cpus: onlineCpus,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  };
}

const NO_CPU_STATS = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/**
 * Docker tells of each device; here they are added up under no device. The operations are written as with control groups of
 * version 1 and on Fargate: collectors that know no other spelling find them.
 */
function blockStats({ block }: ContainerStats): object {
  const entry = (op: string, value: number): object => ({ major: 0, minor: 0, op, value });
  return {
    io_service_bytes_recursive: [entry("Read", block.readBytes), entry("Write", block.writeBytes)],
    io_serviced_recursive: [entry("Read", block.readOps), entry("Write", block.writeOps)],
    io_queue_recursive: [],
    io_service_time_recursive: [],
    io_wait_time_recursive: [],
    io_merged_recursive: [],
    io_time_recursive: [],
    sectors_recursive: [],
  };
}

function interfaceStats(stats: InterfaceStats): object {
  return {
    rx_bytes: stats.rxBytes,
    rx_packets: stats.rxPackets,
    rx_errors: stats.rxErrors,
    rx_dropped: stats.rxDropped,
    tx_bytes: stats.txBytes,
    tx_packets: stats.txPackets,
    tx_errors: stats.txErrors,
    tx_dropped: stats.txDropped,
  };
}
