import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Settings } from "../config.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf, SetupError } from "../lib/errors.ts";
import { certificateNames } from "./certificate-names.ts";
import { issueCertificate } from "./private-authority.ts";

/** What the door shows, and whom its clients have to trust for it. PEM. */
export interface DoorTls {
  readonly certificate: string;
  readonly key: string;
  /** Absent: an authority that clients know. */
  readonly authority: { readonly path: string; readonly pem: string } | undefined;
}

/** Made in the data directory at first use: so only by whoever holds its lock. Undefined: plain HTTP. */
export async function loadTls(settings: Settings, clock: Clock): Promise<DoorTls | undefined> {
  const { tls } = settings;
  switch (tls.kind) {
    case "off":
      return undefined;
    case "files":
      return readGiven(settings, tls, clock);
    case "generate": {
      const directory = join(settings.dataDirectory, "tls");
      const names = certificateNames(settings);
      const { certificate, key, authority } = await issueCertificate({ directory, names, clock });
      return { certificate, key, authority };
    }
  }
}

type GivenFiles = Extract<Settings["tls"], { kind: "files" }>;

/** Reads and checks a given certificate, so that what clients would stumble over is said at the start. */
async function readGiven(
  { endpointHost }: Settings,
  files: GivenFiles,
  clock: Clock,
): Promise<DoorTls> {
  const certificate = await readPem("--tls-cert", files.certificate);
  const key = await readPem("--tls-key", files.key);
  const leaf = parse("--tls-cert", files.certificate, () => new X509Certificate(certificate));
  const privateKey = parse("--tls-key", files.key, () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new SetupError(`${files.key} (--tls-key) is not the key of ${files.certificate}`);
  }
  if (Date.parse(leaf.validTo) <= clock.now()) {
    throw new SetupError(
      `the certificate ${files.certificate} was valid until ${leaf.validTo}: renew it`,
    );
  }
  const isFor =
    isIP(endpointHost) === 0 ? leaf.checkHost(endpointHost) : leaf.checkIP(endpointHost);
  if (isFor === undefined) {
    throw new SetupError(
      `the certificate ${files.certificate} is not for ${endpointHost}, but for ${leaf.subjectAltName ?? leaf.subject}: say with --endpoint-host or GANTRY_ENDPOINT_HOST which of these names clients use`,
    );
  }
  if (files.authority === undefined) return { certificate, key, authority: undefined };
  const pem = await readPem("--tls-ca", files.authority);
  parse("--tls-ca", files.authority, () => new X509Certificate(pem));
  return { certificate, key, authority: { path: files.authority, pem } };
}

async function readPem(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new SetupError(`cannot read ${path} (${flag}): ${messageOf(cause)}`, { cause });
  }
}

function parse<T>(flag: string, path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new SetupError(`${path} (${flag}) is not what it should be: ${messageOf(cause)}`, {
      cause,
    });
  }
}
