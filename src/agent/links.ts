/**
 * Docker's links: a container on the bridge network knows others of its task by name, and their ports by environment
 * variables. ECS has them in network mode bridge only.
 */
import { definitionOf, type TaskRecord } from "./task-record.ts";

/** A linked container, as the one that links to it sees it. */
export interface Link {
  /** The container's name in the definition. */
  readonly name: string;
  readonly alias: string;
  readonly address: string;
  /** Its ports by number and protocol, e.g. `5432/tcp`. */
  readonly ports: readonly { readonly port: number; readonly protocol: "tcp" | "udp" }[];
}

/** `name:alias`, or `name` alone, which is then the alias too. */
export function parseLink(text: string): { readonly name: string; readonly alias: string } {
  const [name = "", alias = name] = text.split(":");
  return { name, alias };
}

/** The links of a container that lead somewhere: a container that has ended has no address any more. */
export function linksOf(record: TaskRecord, container: string): readonly Link[] {
  return (definitionOf(record, container)?.links ?? []).flatMap((text): Link[] => {
    const { name, alias } = parseLink(text);
    const target = record.containers.find((other) => other.name === name);
    if (target?.status !== "RUNNING" || target.address === undefined) return [];
    const mappings = definitionOf(record, name)?.portMappings ?? [];
    const ports = mappings.flatMap(({ containerPort, protocol }) =>
      containerPort === undefined ? [] : [{ port: containerPort, protocol }],
    );
    return [{ name, alias, address: target.address, ports }];
  });
}

/** Docker's variables for a container's links: where each port of the linked container is. */
export function linkEnvironment(own: string, links: readonly Link[]): readonly string[] {
  return links.flatMap(({ address, alias, ports }) => {
    const prefix = alias.toUpperCase().replaceAll("-", "_");
    const url = ({ port, protocol }: Link["ports"][number]): string =>
      `${protocol}://${address}:${port}`;
    const sorted = ports.toSorted((a, b) => a.port - b.port);
    const [first] = sorted;
    return [
      `${prefix}_NAME=/${own}/${alias}`,
      ...(first === undefined ? [] : [`${prefix}_PORT=${url(first)}`]),
      ...sorted.flatMap((each) => {
        const name = `${prefix}_PORT_${each.port}_${each.protocol.toUpperCase()}`;
        return [
          `${name}=${url(each)}`,
          `${name}_ADDR=${address}`,
          `${name}_PORT=${each.port}`,
          `${name}_PROTO=${each.protocol}`,
        ];
      }),
    ];
  });
}
