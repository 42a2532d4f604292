import { spawnSync } from "node:child_process";
import type { Settings } from "../config.ts";
import { type ClientFile, readClientFile } from "./client-file.ts";

/** The variables that point AWS's tools at this Gantry. */
export function clientEnvironment(client: ClientFile): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: client.endpoint,
    AWS_REGION: client.region,
    AWS_DEFAULT_REGION: client.region,
    AWS_ACCESS_KEY_ID: client.accessKeyId,
    AWS_SECRET_ACCESS_KEY: client.secretAccessKey,
    GANTRY_SUBNETS: client.subnetIds.join(","),
    ...(client.authorityPath === undefined
      ? {}
      : // The CLI and most SDKs read the one, the SDK for JavaScript the other.
        { AWS_CA_BUNDLE: client.authorityPath, NODE_EXTRA_CA_CERTS: client.authorityPath }),
  };
}

/** `gantry env`: shell lines to `eval`. */
export async function env(settings: Settings): Promise<number> {
  const client = await readClientFile(settings.dataDirectory);
  const { stdout } = spawnSync("aws", ["--version"], { encoding: "utf8" });
  process.stdout.write(environmentLines(client, stdout ?? ""));
  return 0;
}

/** Pure part of {@link env}: `awsVersion` is what `aws --version` printed, or empty. */
export function environmentLines(client: ClientFile, awsVersion: string): string {
  const lines = Object.entries(clientEnvironment(client)).map(
    ([name, value]) => `export ${name}=${shellQuote(value)}`,
  );
  // A session token of another account, left in the shell, would make every signature wrong.
  lines.push("unset AWS_SESSION_TOKEN AWS_PROFILE");
  if (needsEndpointFlag(awsVersion)) {
    lines.push(`aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }`);
  }
  return `${lines.join("\n")}\n`;
}

/** AWS CLIs before 2.13 (v1: 1.29) do not know AWS_ENDPOINT_URL. */
export function needsEndpointFlag(awsVersion: string): boolean {
  const match = /^aws-cli\/(\d+)\.(\d+)\./.exec(awsVersion);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return (major === 2 && minor < 13) || (major === 1 && minor < 29) || major === 0;
}

/** `value` as one word of a POSIX shell. */
export function shellQuote(value: string): string {
  return /^[\w./:,@+-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
