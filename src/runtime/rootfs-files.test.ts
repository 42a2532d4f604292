import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import type { Mount } from "./containerd/messages.ts";
import { readRootfsFile } from "./rootfs-files.ts";

let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "gantry-rootfs-"));
  // What an image that breaks out would find beside its layers.
  await writeFile(join(directory, "passwd"), "of the machine");
});
after(() => rm(directory, { recursive: true }));

/** A file's text, or where a link leads; a path that ends with `/` is a directory. */
type Layer = Readonly<Record<string, string | { readonly link: string }>>;

/** Layers as overlayfs has them, uppermost first. */
async function rootfs(...layers: readonly Layer[]): Promise<readonly Mount[]> {
  const home = await mkdtemp(join(directory, "image-"));
  const paths = layers.map((_, index) => join(home, String(index)));
  for (const [index, layer] of layers.entries()) {
    await mkdir(paths[index] ?? "");
    for (const [path, content] of Object.entries(layer)) {
      const place = join(paths[index] ?? "", path);
      await mkdir(path.endsWith("/") ? place : dirname(place), { recursive: true });
      if (path.endsWith("/")) continue;
      if (typeof content === "string") await writeFile(place, content);
      else await symlink(content.link, place);
    }
  }
  const [upper = "", ...lower] = paths;
  const options = [`upperdir=${upper}`, `lowerdir=${lower.join(":")}`, "workdir=/nowhere"];
  return lower.length === 0
    ? [{ type: "bind", source: upper, target: "", options: ["rbind"] }]
    : [{ type: "overlay", source: "overlay", target: "", options }];
}

async function passwdOf(...layers: readonly Layer[]): Promise<string> {
  return readRootfsFile(await rootfs(...layers), "/etc/passwd");
}

test("a file is that of the uppermost layer that has it", async () => {
  assert.equal(await passwdOf({ "etc/passwd": "one" }), "one");
  assert.equal(await passwdOf({ "etc/passwd": "new" }, { "etc/passwd": "old" }), "new");
  assert.equal(await passwdOf({ "etc/": "" }, {}, { "etc/passwd": "old" }), "old");
  assert.equal(await passwdOf({}), "");
  assert.equal(await passwdOf({ etc: "a file" }, { "etc/passwd": "hidden" }), "");
});

test("a link is followed as inside the container, in whatever layer the next name is", async () => {
  const real = { "usr/etc/passwd": "real" };
  for (const [path, link] of [
    ["etc/passwd", "../usr/etc/passwd"],
    ["etc/passwd", "/usr/etc/passwd"],
    ["etc/passwd", "./../usr//etc/./passwd"],
    ["etc", "usr/etc"],
    ["etc", "/usr/etc/"],
  ] as const) {
    assert.equal(await passwdOf({ ...real, [path]: { link } }), "real", link);
    assert.equal(await passwdOf({ [path]: { link } }, real), "real", link);
  }
  assert.equal(
    await passwdOf({ "etc/passwd": { link: "a" }, "etc/a": { link: "b" } }, { "etc/b": "third" }),
    "third",
  );
  // A directory of the container is not the link below it, nor the other way round.
  assert.equal(
    await passwdOf({ "etc/passwd": "own" }, { etc: { link: "/usr/etc" }, ...real }),
    "own",
  );
  assert.equal(
    await passwdOf({ etc: { link: "usr/etc" }, ...real }, { "etc/passwd": "old" }),
    "real",
  );
});

test("no link leads out of the image", async () => {
  const outside = join(directory, "passwd");
  for (const link of [
    outside,
    "../../../passwd",
    `../../../../../../../../..${outside}`,
    `/../..${outside}`,
    "/proc/self/root/etc/hostname",
    "..",
    "/",
  ]) {
    assert.equal(await passwdOf({ "etc/passwd": { link } }), "", link);
    assert.equal(await passwdOf({ etc: { link } }, {}), "", link);
  }
  // The same path, where the image has it.
  const own = { "etc/passwd": { link: outside }, [outside.slice(1)]: "of the image" };
  assert.equal(await passwdOf(own), "of the image");
  const up = { etc: { link: "../../.." }, passwd: "at the root" };
  assert.equal(await passwdOf(up), "at the root");
});

test("links without end, long ways and files that are none are as if there were nothing", async () => {
  assert.equal(await passwdOf({ "etc/passwd": { link: "passwd" } }), "");
  assert.equal(await passwdOf({ "etc/passwd": { link: "b" }, "etc/b": { link: "passwd" } }), "");
  assert.equal(await passwdOf({ etc: { link: "etc" } }), "");
  const doubling = Object.fromEntries(
    Array.from({ length: 30 }, (_, n) => [`etc/l${n}`, { link: `l${n + 1}/../l${n + 1}` }]),
  );
  assert.equal(await passwdOf({ ...doubling, "etc/passwd": { link: "l0" }, "etc/l30/": "" }), "");
  const long = { link: "./".repeat(2000) };
  assert.equal(await passwdOf({ "etc/passwd": long }), "");
  assert.equal(await passwdOf({ "etc/passwd/": "" }), "");
  assert.equal(
    await passwdOf({ "etc/passwd": { link: "big" }, "etc/big": "x".repeat(2 ** 21) }),
    "",
  );
});
