import { SetupError } from "../lib/errors.ts";
import { nearestExisting } from "./data-directory.ts";

/** Throws SetupError with all that keeps this machine from running containers, and the cures. */
export async function refuseUnfitHost(dataDirectory: string): Promise<void> {
  const { checkHost } = await import("../runtime/host-checks.ts");
  const directory = await nearestExisting(dataDirectory);
  const failed = (await checkHost({ directory })).filter(({ ok }) => !ok);
  if (failed.length === 0) return;
  // Without root the other checks fail too, and their cures would mislead.
  const [root] = failed.filter(({ name }) => name === "root");
  const lines = (root ? [root] : failed).map(
    ({ name, problem, remedy }) => `  ${name}: ${problem}${remedy ? `; ${remedy}` : ""}`,
  );
  throw new SetupError(`this machine cannot run containers:\n${lines.join("\n")}`);
}
