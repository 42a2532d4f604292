import { SetupError } from "../lib/errors.ts";
import { nearestExisting } from "./data-directory.ts";

/** What a machine must be able to do whose containers are another's business. */
const NETWORK_CHECKS: ReadonlySet<string> = new Set([
  "root",
  "namespaces",
  "ip installed",
  "nft installed",
  "conntrack installed",
]);

/** Throws SetupError with all that keeps this machine from its work, and the cures. */
export async function refuseUnfitHost(
  dataDirectory: string,
  work: "containers" | "network" = "containers",
): Promise<void> {
  const { checkHost } = await import("../runtime/host-checks.ts");
  const directory = await nearestExisting(dataDirectory);
  const failed = (await checkHost({ directory })).filter(
    ({ name, ok }) => !ok && (work === "containers" || NETWORK_CHECKS.has(name)),
  );
  if (failed.length === 0) return;
  // Without root the other checks fail too, and their cures would mislead.
  const [root] = failed.filter(({ name }) => name === "root");
  const lines = (root ? [root] : failed).map(
    ({ name, problem, remedy }) => `  ${name}: ${problem}${remedy ? `; ${remedy}` : ""}`,
  );
  const what = work === "containers" ? "run containers" : "give containers a network";
  throw new SetupError(`this machine cannot ${what}:\n${lines.join("\n")}`);
}
