import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { Settings } from "../config.ts";

/** What SDKs put before the host for DiscoverInstances and StartLiveTail, whatever the endpoint. */
const HOST_PREFIXES = ["data-", "stream-"];
const LOOPBACK = ["localhost", "127.0.0.1", "::1"];
/** Where tasks find the AWS endpoint, whatever its address on the network. */
const TASK_SIDE = "169.254.170.2";

/** Subject alternative names in OpenSSL's form (`DNS:localhost`, `IP:127.0.0.1`), sorted, each once. */
export function certificateNames({ listen, endpointHost }: Settings): readonly string[] {
  const isEverywhere = listen.host === "0.0.0.0" || listen.host === "::";
  const own = isEverywhere ? machineAddresses() : [listen.host];
  const hosts = new Set([endpointHost, ...own, ...LOOPBACK, TASK_SIDE]);
  const names = [...hosts].flatMap((host) => [
    ...(isIP(host) === 0 ? [`DNS:${host}`] : [`IP:${host}`]),
    ...(isIP(host) === 6 ? [] : HOST_PREFIXES.map((prefix) => `DNS:${prefix}${host}`)),
    // The ECS agent compares the certificate of a websocket with the literal host:port.
    ...(listen.port === 0 ? [] : [`DNS:${bracketed(host)}:${listen.port}`]),
  ]);
  return [...new Set(names)].sort();
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

function machineAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  // A link-local address means nothing without its link.
  return addresses.map(({ address }) => address).filter((address) => !/^fe80:/i.test(address));
}
