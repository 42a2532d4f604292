import type { Random } from "../../lib/random.ts";
import { formatUniqueId, UNIQUE_ID_BYTES } from "../model/ids.ts";

/** A new id: `AIDA…`, `AROA…`, … */
export function newUniqueId(random: Random, type: Parameters<typeof formatUniqueId>[0]): string {
  return formatUniqueId(type, random.bytes(UNIQUE_ID_BYTES));
}
