/** ECS's link-local endpoints as nftables rules: what tasks find at 169.254.170.2, and what they must not find beside it. */

/** ECS: where every task finds its metadata and credentials, by plain HTTP. */
export const LINK_LOCAL_ADDRESS = "169.254.170.2";
const ENDPOINT_PORT = 80;
/** Chosen: the AWS endpoint's default port, so that a task's AWS_ENDPOINT_URL looks like everybody's. */
const API_PORT = 4566;
/** EC2 and most other clouds: the machine's metadata, and with it the machine's own credentials. */
const CLOUD_METADATA_ADDRESS = "169.254.169.254";

/** What is reached at {@link LINK_LOCAL_ADDRESS}. Undefined members are not reached. */
export interface Endpoints {
  /** TCP port on the host's 127.0.0.1. */
  readonly port: number | undefined;
  /** The AWS endpoint as the host reaches it. */
  readonly api: { readonly address: string; readonly port: number } | undefined;
}

/** Rules of a nat chain that lead to the endpoints. Sources stay as they are: they tell the tasks apart. */
export function endpointRules({ api, port }: Endpoints): readonly string[] {
  const at = (from: number, to: string): string =>
    `ip daddr ${LINK_LOCAL_ADDRESS} tcp dport ${from} dnat to ${to}`;
  return [
    ...(port === undefined ? [] : [at(ENDPOINT_PORT, `127.0.0.1:${port}`)]),
    ...(api === undefined ? [] : [at(API_PORT, `${api.address}:${api.port}`)]),
  ];
}

/**
 * Rules for what comes from tasks over `links`, before anything is translated. The links let translated packets through to
 * 127.0.0.1; nobody may address the host's loopback, and the services that listen only there, directly.
 */
export function guardRules(links: string, endpoints: Endpoints): readonly string[] {
  const ports = [
    ...(endpoints.port === undefined ? [] : [ENDPOINT_PORT]),
    ...(endpoints.api === undefined ? [] : [API_PORT]),
  ];
  return [
    `iifname != ${links} accept`,
    "ip daddr 127.0.0.0/8 drop",
    "ip saddr 127.0.0.0/8 drop",
    // On some clouds the resolver has the same address as the metadata.
    `ip daddr ${CLOUD_METADATA_ADDRESS} meta l4proto { tcp, udp } th dport 53 accept`,
    `ip daddr ${CLOUD_METADATA_ADDRESS} drop`,
    ...(ports.length === 0
      ? []
      : [`ip daddr ${LINK_LOCAL_ADDRESS} tcp dport { ${ports.join(", ")} } accept`]),
    // A machine that is itself a task or a pod has credentials of its own in this network.
    "ip daddr 169.254.170.0/24 drop",
  ];
}
