/** The node's logins at registries: a file in the form that `docker login` writes (~/.docker/config.json). */
import { readFile } from "node:fs/promises";
import { messageOf } from "../../lib/errors.ts";
import type { RegistryLogin } from "../pull.ts";
import type { Reference } from "../reference.ts";
import { ImageError } from "../runtime.ts";

/** What is shown to a registry or to its token service. */
export type RegistryCredentials = RegistryLogin | { readonly identityToken: string };

interface AuthEntry {
  /** base64 of `name:password`. */
  readonly auth?: unknown;
  readonly username?: unknown;
  readonly password?: unknown;
  readonly identitytoken?: unknown;
}

/**
 * The login of a file for an image; undefined when it has none. Read at each pull, so that a new login counts at once.
 * Throws ImageError, without any of the file's contents, when the file cannot be used.
 */
export async function findLogin(
  file: string,
  reference: Reference,
): Promise<RegistryCredentials | undefined> {
  return loginIn(await readLogins(file), reference);
}

/** The best entry for an image: of keys that name a path within the registry, the longest that fits. */
export function loginIn(
  auths: Readonly<Record<string, AuthEntry>>,
  { registry, repository }: Reference,
): RegistryCredentials | undefined {
  const full = `${registry}/${repository}`;
  const matches = Object.entries(auths)
    .map(([key, entry]) => ({ name: nameOf(key), entry }))
    .filter(({ name }) => full === name || full.startsWith(`${name}/`))
    .sort((a, b) => b.name.length - a.name.length);
  return matches.map(({ entry }) => credentialsOf(entry)).find((found) => found !== undefined);
}

/** `https://index.docker.io/v1/`, `registry.example/v2/`, `registry.example/team` → what an image's name begins with. */
function nameOf(key: string): string {
  const name = key.replace(/^https?:\/\//, "").replace(/\/(?:v[12]\/?)?$/, "");
  return name.replace(/^(?:index\.docker\.io|registry-1\.docker\.io)(?=\/|$)/, "docker.io");
}

function credentialsOf(entry: AuthEntry): RegistryCredentials | undefined {
  const { auth, identitytoken, password, username } = entry;
  if (typeof identitytoken === "string" && identitytoken !== "") {
    return { identityToken: identitytoken };
  }
  if (typeof username === "string" && typeof password === "string") return { username, password };
  if (typeof auth !== "string") return undefined;
  const [, name, secret] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(auth, "base64").toString("utf8")) ?? [];
  if (!name || secret === undefined) return undefined;
  // Docker pads with zero bytes.
  return { username: name, password: secret.replace(/\0+$/, "") };
}

async function readLogins(file: string): Promise<Readonly<Record<string, AuthEntry>>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new ImageError(`cannot read the registry logins: ${messageOf(cause)}`, { cause });
  }
  try {
    const { auths = {} } = JSON.parse(text) as { auths?: Record<string, AuthEntry> };
    return Object.fromEntries(Object.entries(auths).filter(([, entry]) => entry instanceof Object));
  } catch {
    throw new ImageError(`the registry logins in ${file} are not JSON as 'docker login' writes it`);
  }
}
