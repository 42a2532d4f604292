/** What placement looks at, in this order. */
export type FilterName =
  | "agent"
  | "cpu"
  | "memory"
  | "gpu"
  | "ports"
  | "udp ports"
  | "attributes"
  | "zone"
  | "distinctInstance"
  | "memberOf";
