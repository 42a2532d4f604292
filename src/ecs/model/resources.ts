import type { HostResources, Instance } from "./instance.ts";
import type { NetworkBinding, Task, TaskOverrides } from "./task.ts";
import type { TaskDefinitionDocument } from "./task-definition.ts";

/** What is taken of machines, and what is left. Remaining resources are always derived, never stored. */

/** TCP and UDP: 16 bits. */
const PORT_COUNT = 65_536;

export const NO_RESOURCES: HostResources = { cpuUnits: 0, memoryMiB: 0, ports: [], portsUdp: [] };

/**
 * What a task of this definition takes: its own size where it has one, else the sum of its containers, of each the
 * reservation before the limit (`ecs-behaviour` §4.5), and its fixed host ports.
 */
export function resourcesOf(
  document: TaskDefinitionDocument,
  overrides: TaskOverrides,
): HostResources {
  const containers = (document.containerDefinitions ?? []).map((container) => {
    const override = overrides.containerOverrides.find(({ name }) => name === container.name);
    return {
      cpuUnits: override?.cpu ?? container.cpu ?? 0,
      memoryMiB:
        override?.memoryReservation ??
        container.memoryReservation ??
        override?.memory ??
        container.memory ??
        0,
    };
  });
  const cpu = overrides.cpu ?? document.cpu;
  const memory = overrides.memory ?? document.memory;
  return {
    cpuUnits: cpu === undefined ? sum(containers.map(({ cpuUnits }) => cpuUnits)) : Number(cpu),
    memoryMiB:
      memory === undefined ? sum(containers.map(({ memoryMiB }) => memoryMiB)) : Number(memory),
    ports: fixedHostPorts(document, "tcp"),
    portsUdp: fixedHostPorts(document, "udp"),
  };
}

/** awsvpc tasks have an address of their own, and port 0 is drawn by the machine: neither takes a port beforehand. */
function fixedHostPorts(document: TaskDefinitionDocument, protocol: "tcp" | "udp"): number[] {
  if (document.networkMode === "awsvpc" || document.networkMode === "none") return [];
  return (document.containerDefinitions ?? [])
    .flatMap((container) => container.portMappings ?? [])
    .filter((mapping) => (mapping.protocol ?? "tcp") === protocol)
    .flatMap(({ hostPort }) => (hostPort === undefined || hostPort === 0 ? [] : [hostPort]));
}

/** What these tasks take of their machine, with the ports that the machine drew for them. */
export function takenBy(tasks: readonly Task[]): HostResources {
  const bindings = tasks
    .filter(({ networkMode }) => networkMode !== "awsvpc")
    .flatMap(({ containers }) => containers.flatMap(({ networkBindings }) => networkBindings));
  const drawn = (protocol: "tcp" | "udp"): number[] =>
    bindings.filter((binding) => (binding.protocol ?? "tcp") === protocol).flatMap(hostPortsOf);
  return [
    ...tasks.map(({ reserved }) => reserved),
    { ...NO_RESOURCES, ports: drawn("tcp"), portsUdp: drawn("udp") },
  ].reduce(add, NO_RESOURCES);
}

function hostPortsOf({ hostPort, hostPortRange }: NetworkBinding): readonly number[] {
  const [first, last] = hostPortRange?.split("-").map(Number) ?? [];
  if (first === undefined || last === undefined) return hostPort === undefined ? [] : [hostPort];
  // What a machine reports is believed no further than there are ports.
  const length = Math.min(Math.max(0, last - first + 1), PORT_COUNT) || 0;
  return Array.from({ length }, (_, index) => first + index);
}

/** Amounts add up, ports are united. */
export function add(a: HostResources, b: HostResources): HostResources {
  return {
    cpuUnits: a.cpuUnits + b.cpuUnits,
    memoryMiB: a.memoryMiB + b.memoryMiB,
    ports: union(a.ports, b.ports),
    portsUdp: union(a.portsUdp, b.portsUdp),
    ...(b.gpus?.length ? { gpus: [...(a.gpus ?? []), ...b.gpus] } : a.gpus && { gpus: a.gpus }),
  };
}

/** What an instance has left when this much of its machine is taken. Ports are those in use, as the API has them. */
export function remainingOf(instance: Instance, taken: HostResources): HostResources {
  const { registered } = instance;
  return {
    cpuUnits: registered.cpuUnits - taken.cpuUnits,
    memoryMiB: registered.memoryMiB - taken.memoryMiB,
    ports: union(registered.ports, taken.ports),
    portsUdp: union(registered.portsUdp, taken.portsUdp),
    ...(registered.gpus && {
      gpus: registered.gpus.filter((id) => taken.gpus?.includes(id) !== true),
    }),
  };
}

function union(a: readonly number[], b: readonly number[]): readonly number[] {
  return b.length === 0 ? a : [...new Set([...a, ...b])];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
