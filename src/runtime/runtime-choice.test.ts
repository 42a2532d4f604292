import assert from "node:assert/strict";
import { test } from "node:test";
import { runtimeOf, runtimeProgram } from "./runtime-choice.ts";

test("a program is run by the shim for runc, a name with dots is a shim of its own", () => {
  assert.deepEqual(runtimeOf("runc"), { name: "io.containerd.runc.v2" });
  assert.deepEqual(runtimeOf("io.containerd.kata.v2"), { name: "io.containerd.kata.v2" });
  const { name, options } = runtimeOf("/opt/bin/runsc.sh");
  assert.equal(name, "io.containerd.runc.v2");
  assert.equal(options?.type_url, "containerd.runc.v1.Options");
  // Field 6, 17 bytes.
  assert.equal(Buffer.from(options?.value ?? []).toString("latin1"), "\x32\x11/opt/bin/runsc.sh");
});

test("each choice names the program that it takes", () => {
  assert.equal(runtimeProgram("crun"), "crun");
  assert.equal(runtimeProgram("io.containerd.kata.v2"), "containerd-shim-kata-v2");
  assert.equal(runtimeProgram("/opt/bin/runsc.sh"), "/opt/bin/runsc.sh");
});
