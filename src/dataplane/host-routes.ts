import { readCidr } from "../lib/cidr.ts";
import { systemClock } from "../lib/clock.ts";
import { type CommandRunner, createCommandRunner } from "./commands.ts";
import type { HostRoute } from "./vpc-cidr.ts";

/** Routes wider than this are ways out, like the two /1 halves that VPN clients put over the default route. */
const PREFIX_LENGTH_MIN = 8;

/** What `ip -j route` prints of one route. */
export interface RouteJson {
  readonly dst: string;
  readonly dev?: string;
  readonly type?: string;
}

/**
 * CIDRs of every route and address of this machine, or of the host at `hostNamespacePath`. Throws DataplaneError, or SetupError
 * when a tool is missing.
 */
export async function hostRoutes(hostNamespacePath?: string): Promise<readonly string[]> {
  const runner = createCommandRunner({ hostNamespacePath, clock: systemClock });
  const routes = await readHostRoutes(runner);
  return routes.map((route) => route.cidr);
}

/** Every route of every table, which includes the host's own addresses, but for the ways out. */
export async function readHostRoutes(runner: CommandRunner): Promise<readonly HostRoute[]> {
  return parseRoutes(await runner.queryIp(undefined, ["-4", "route", "show", "table", "all"]));
}

/** {@link readHostRoutes} of the JSON that `ip` printed. */
export function parseRoutes(json: unknown): readonly HostRoute[] {
  return (json as readonly RouteJson[])
    .filter((route) => route.type !== "broadcast" && route.type !== "multicast")
    .filter((route) => (readCidr(route.dst)?.prefixLength ?? 0) >= PREFIX_LENGTH_MIN)
    .map((route) => ({ cidr: route.dst, device: route.dev ?? route.type ?? "" }));
}
