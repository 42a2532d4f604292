import { formatBase32 } from "./access-key.ts";

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids */
const PREFIX = {
  user: "AIDA",
  group: "AGPA",
  role: "AROA",
  policy: "ANPA",
  "instance-profile": "AIPA",
} as const;

/** `AIDA` and 17 characters, as AWS's are, from 17 random bytes. */
export function formatUniqueId(type: keyof typeof PREFIX, random: Uint8Array): string {
  return PREFIX[type] + formatBase32(random.subarray(0, UNIQUE_ID_BYTES));
}

export const UNIQUE_ID_BYTES = 17;
