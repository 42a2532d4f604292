/** A machine that lacks something: `gantry up` names what, and the package or privilege that cures it. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startServer } from "../cli/cli-kit.ts";
import { command, skipReason } from "./gantry-kit.ts";

const skip = await skipReason();

/** `gantry up` in a mount namespace of its own, after `preparation` there. */
async function upAfter(
  preparation: string,
): Promise<{ code: number; stderr: string; madeFiles: boolean }> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-unfit-"));
  const data = join(directory, "data");
  try {
    const script = `${preparation} && exec bin/gantry up --data-dir ${data} --listen 127.0.0.1:0`;
    const { code, stderr } = await command("unshare", ["--mount", "sh", "-c", script]);
    return { code, stderr, madeFiles: existsSync(data) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const [program, path, packageName] of [
  ["containerd", "/usr/bin/containerd", "containerd"],
  ["runc", "/usr/sbin/runc", "runc"],
  ["nft", "/usr/sbin/nft", "nftables"],
  ["conntrack", "/usr/sbin/conntrack", "conntrack"],
] as const) {
  test(`without ${program} it names the package to install and makes nothing`, {
    skip,
  }, async () => {
    const { code, stderr, madeFiles } = await upAfter(`mount --bind /dev/null ${path}`);
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(
        `^gantry: this machine cannot run containers:[\\s\\S]*${program}.*apt-get install.*${packageName}`,
      ),
    );
    assert.equal(madeFiles, false);
  });
}

test("a machine that became unfit says so at its next start, and ends", { skip }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-unfit-"));
  try {
    await (await startServer(directory)).stop();
    const script = `mount --bind /dev/null /usr/sbin/runc && exec bin/gantry up --data-dir ${directory} --listen 127.0.0.1:0`;
    const { code, stderr } = await command("unshare", ["--mount", "sh", "-c", script]);
    assert.equal(code, 1);
    assert.match(stderr, /^gantry: this machine cannot run containers:[\s\S]*runc/m);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("without the privilege to make namespaces it says so", { skip }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-unfit-"));
  const { code, stderr } = await command("setpriv", [
    "--bounding-set=-sys_admin",
    "bin/gantry",
    "up",
    "--data-dir",
    join(directory, "data"),
    "--listen",
    "127.0.0.1:0",
  ]);
  rmSync(directory, { recursive: true });
  assert.equal(code, 1);
  assert.match(stderr, /CAP_SYS_ADMIN|namespace/);
});
