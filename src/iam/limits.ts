/** The limits of IAM: AWS's quotas, and our own where it says "Chosen". */

/** Chosen. Policy documents kept compiled: some kilobytes each, so some tens of megabytes at the most. */
export const COMPILED_POLICIES_MAX = 10_000;

/** Chosen. Users and roles whose policies are kept together, ready for their next call. */
export const PRINCIPALS_MAX = 10_000;
