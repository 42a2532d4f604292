/** Debian's docker-registry, run for a test, and the few requests of a push. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import type { ImageContent } from "./image-content.ts";

const PROGRAM = "/usr/bin/docker-registry";

export interface DebianRegistry {
  /** `127.0.0.1:port`, as it stands in images' names. */
  readonly host: string;
  /** Makes `repository:tag` this image. */
  push(name: string, image: ImageContent): Promise<void>;
  close(): Promise<void>;
}

/** Why it cannot run here, for a test's `skip`; false when it can. */
export const registrySkip: string | false =
  !existsSync(PROGRAM) && "docker-registry is not installed: apt-get install docker-registry";

/** `htpasswd`: a line `name:bcrypt` whose password is asked for. */
export async function startDebianRegistry(
  options: { readonly login?: { username: string; password: string; htpasswd: string } } = {},
): Promise<DebianRegistry> {
  const directory = await mkdtemp(join(tmpdir(), "gantry-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const { login } = options;
  const htpasswd = join(directory, "htpasswd");
  if (login !== undefined) await writeFile(htpasswd, `${login.htpasswd}\n`);
  const config = {
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: join(directory, "data") }, delete: { enabled: true } },
    http: { addr: host },
    ...(login && { auth: { htpasswd: { realm: "test", path: htpasswd } } }),
  };
  // JSON is YAML.
  await writeFile(join(directory, "config.yml"), JSON.stringify(config));
  const child = spawn(PROGRAM, ["serve", join(directory, "config.yml")], { stdio: "ignore" });
  const headers: Record<string, string> = login
    ? { authorization: `Basic ${btoa(`${login.username}:${login.password}`)}` }
    : {};
  await untilReady(child, `http://${host}/v2/`);
  return {
    host,
    push: (name, image) => push(`http://${host}`, headers, name, image),
    close: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      await rm(directory, { recursive: true });
    },
  };
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    if (await fetch(url).catch(() => undefined)) return;
    await systemClock.sleep(50);
  }
  throw new Error("docker-registry does not answer");
}

async function push(
  origin: string,
  headers: Record<string, string>,
  name: string,
  image: ImageContent,
): Promise<void> {
  const [repository = "", tag = ""] = name.split(":");
  const send = async (url: string, method: string, body?: Buffer, type?: string) => {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(type && { "content-type": type }) },
      ...(body && { body: new Uint8Array(body) }),
    });
    if (!response.ok)
      throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
    return response;
  };
  for (const { digest, bytes } of image.blobs) {
    const begun = await send(`${origin}/v2/${repository}/blobs/uploads/`, "POST");
    const location = new URL(begun.headers.get("location") ?? "", origin);
    location.searchParams.set("digest", digest);
    await send(location.href, "PUT", bytes, "application/octet-stream");
  }
  for (const { mediaType, digest, bytes } of image.manifests) {
    await send(`${origin}/v2/${repository}/manifests/${digest}`, "PUT", bytes, mediaType);
  }
  const { bytes, mediaType } = image.root;
  await send(`${origin}/v2/${repository}/manifests/${tag}`, "PUT", bytes, mediaType);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
