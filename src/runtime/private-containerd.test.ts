import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { containerdPaths } from "./private-containerd.ts";

test("containerdPaths() keeps everything below the directory", () => {
  for (const path of Object.values(containerdPaths("/var/lib/gantry/containerd"))) {
    assert.ok(path.startsWith("/var/lib/gantry/containerd/"));
  }
});

test("containerdPaths() never gives a socket path the kernel would refuse, nor one path to two directories", () => {
  const directory = fc.string({ unit: fc.constantFrom("a", "b", "é", "/"), maxLength: 200 });
  fc.assert(
    fc.property(directory, directory, (one, two) => {
      const [a, b] = [containerdPaths(`/${one}x`), containerdPaths(`/${two}x`)];
      assert.ok(Buffer.byteLength(`${a.socket}.ttrpc`) <= 107);
      assert.equal(a.socket === b.socket, a.config === b.config);
    }),
  );
});
