/**
 * Writes a container image made of this machine's static busybox: no registry needed, and equal options give equal bytes.
 * `bin/gantry-node scripts/busybox-image.ts hello.tar --name hello:latest [--format docker]` makes the example's web server.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Pack, pack } from "tar-stream";

export interface BusyboxImageOptions {
  /** The tar file to write. */
  readonly file: string;
  /** `hello:latest`; several names for one image are allowed. */
  readonly names: readonly string[];
  /** An OCI image layout (default), or what `docker save` writes. */
  readonly format?: "oci" | "docker";
  /** Absolute path → content, beside busybox and its applets. */
  readonly files?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** `NAME=value`. */
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  /** Go's name of the processor the image claims to be for; default: this machine's. */
  readonly architecture?: string;
}

/** A web server on port 80 that says what it does on stderr, and leaves at once when told to (PID 1 must trap). */
const HELLO: Pick<BusyboxImageOptions, "files" | "entrypoint" | "command"> = {
  files: { "/www/index.html": "<h1>Hello from Gantry</h1>\n" },
  entrypoint: ["/bin/sh", "-c"],
  command: [
    "trap 'kill $!; exit 0' TERM INT; echo 'hello: listening on port 80' >&2; httpd -f -vv -p 80 -h /www & wait $!",
  ],
};

const GO_ARCHITECTURE: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const BASE_FILES: Readonly<Record<string, string>> = {
  "/etc/passwd":
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nweb:x:1000:1001:web:/www:/bin/sh\n",
  "/etc/group": "root:x:0:\nweb:x:1001:\nlogs:x:1002:web\nnogroup:x:65534:\n",
};
const DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "var", "www"];

interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

/** Writes the image's tar file. Throws when there is no static busybox on this machine. */
export async function busyboxImage(options: BusyboxImageOptions): Promise<void> {
  const layer = blobOfBytes(await busyboxLayer(options.files));
  const config = blobOf({
    architecture: options.architecture ?? GO_ARCHITECTURE[process.arch] ?? process.arch,
    os: "linux",
    created: "1970-01-01T00:00:00Z",
    config: {
      Entrypoint: options.entrypoint ?? null,
      Cmd: options.command ?? null,
      Env: ["PATH=/bin", ...(options.environment ?? [])],
      WorkingDir: options.workingDirectory ?? "/",
      User: options.user ?? "",
    },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "scripts/busybox-image.ts" }],
  });
  const files =
    options.format === "docker"
      ? dockerArchive(options.names, config, layer)
      : ociLayout(options.names, config, layer);
  const archive = pack();
  for (const [name, bytes] of files) addFile(archive, name, bytes, 0o644);
  archive.finalize();
  await pipeline(archive, createWriteStream(options.file));
}

type Files = readonly (readonly [name: string, bytes: Buffer])[];

function ociLayout(names: readonly string[], config: Blob, layer: Blob): Files {
  const descriptor = (mediaType: string, blob: Blob): object => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: blob.digest,
    size: blob.bytes.length,
  });
  const manifest = blobOf({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("config.v1+json", config),
    layers: [descriptor("layer.v1.tar", layer)],
  });
  const manifests = names.map((name) => ({
    ...descriptor("manifest.v1+json", manifest),
    annotations: { "org.opencontainers.image.ref.name": name },
  }));
  return [
    ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
    ["index.json", json({ schemaVersion: 2, manifests })],
    ...[manifest, config, layer].map(
      ({ digest, bytes }) => [`blobs/sha256/${digest.slice("sha256:".length)}`, bytes] as const,
    ),
  ];
}

function dockerArchive(names: readonly string[], config: Blob, layer: Blob): Files {
  const id = config.digest.slice("sha256:".length);
  const directory = layer.digest.slice("sha256:".length);
  const manifest = [{ Config: `${id}.json`, RepoTags: names, Layers: [`${directory}/layer.tar`] }];
  return [
    [`${directory}/layer.tar`, layer.bytes],
    [`${id}.json`, config.bytes],
    ["manifest.json", json(manifest)],
  ];
}

/** A layer as tar: busybox, a link for each of its applets, users, and the given files. */
export async function busyboxLayer(more: Readonly<Record<string, string>> = {}): Promise<Buffer> {
  const files = { ...BASE_FILES, ...more };
  const busybox = await readFile("/bin/busybox").catch(() => undefined);
  if (busybox === undefined || busybox.includes("/ld-linux")) {
    throw new Error("no static /bin/busybox: apt-get install busybox-static");
  }
  const applets = execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" });
  const layer = pack();
  for (const directory of directoriesOf(Object.keys(files))) {
    const mode = directory === "tmp" ? 0o1777 : 0o755;
    layer.entry({ ...header(`${directory}/`, mode), type: "directory" });
  }
  addFile(layer, "bin/busybox", busybox, 0o755);
  for (const applet of applets.split("\n").filter((name) => name !== "" && name !== "busybox")) {
    layer.entry({ ...header(`bin/${applet}`, 0o777), type: "symlink", linkname: "busybox" });
  }
  for (const [path, content] of Object.entries(files).sort()) {
    addFile(layer, path.replace(/^\/+/, ""), Buffer.from(content), 0o644);
  }
  layer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of layer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Every directory that needs an entry, parents first. */
function directoriesOf(paths: readonly string[]): readonly string[] {
  const directories = new Set(DIRECTORIES);
  for (const path of paths) {
    const parts = path.split("/").filter(Boolean);
    for (let depth = 1; depth < parts.length; depth++) {
      directories.add(parts.slice(0, depth).join("/"));
    }
  }
  return [...directories].sort();
}

function header(name: string, mode: number) {
  return { name, mode, mtime: new Date(0), uid: 0, gid: 0, uname: "", gname: "" };
}

function addFile(archive: Pack, name: string, bytes: Buffer, mode: number): void {
  archive.entry({ ...header(name, mode), size: bytes.length }, bytes);
}

function blobOf(document: object): Blob {
  return blobOfBytes(json(document));
}

function blobOfBytes(bytes: Buffer): Blob {
  return { digest: digestOf(bytes), bytes };
}

function json(document: object): Buffer {
  return Buffer.from(JSON.stringify(document));
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: "string", multiple: true, default: ["hello:latest"] },
      format: { type: "string", default: "oci" },
    },
  });
  const [file] = positionals;
  if (file === undefined) {
    console.error("usage: busybox-image.ts FILE.tar [--name NAME]… [--format oci|docker]");
    process.exit(2);
  }
  const format = values.format === "docker" ? "docker" : "oci";
  await busyboxImage({ file, names: values.name, format, ...HELLO });
}
