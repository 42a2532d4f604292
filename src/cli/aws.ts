import { spawn } from "node:child_process";
import type { Settings } from "../config.ts";
import { SetupError } from "../lib/errors.ts";
import { readClientFile } from "./client-file.ts";
import { clientEnvironment } from "./env.ts";

/** `gantry aws …`: the AWS CLI, pointed at this Gantry whatever its version. Returns its exit code. */
export async function aws(settings: Settings, args: readonly string[]): Promise<number> {
  const client = await readClientFile(settings.dataDirectory);
  const environment: NodeJS.ProcessEnv = { ...process.env, ...clientEnvironment(client) };
  delete environment.AWS_SESSION_TOKEN;
  delete environment.AWS_PROFILE;
  const child = spawn("aws", ["--endpoint-url", client.endpoint, ...args], {
    stdio: "inherit",
    env: environment,
  });
  // The terminal sends Ctrl-C to both; the CLI decides what it means.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  try {
    return await new Promise((resolve, reject) => {
      child.on("error", (cause) =>
        reject(new SetupError("the AWS CLI is not installed: apt-get install awscli", { cause })),
      );
      child.on("close", (code) => resolve(code ?? 1));
    });
  } finally {
    process.off("SIGINT", ignore);
  }
}
