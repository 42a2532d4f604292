import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { SetupError, UnavailableError } from "./errors.ts";
import { openMasterKey } from "./master-key.ts";
import { systemRandom } from "./random.ts";
import { Sealer } from "./sealer.ts";

test("what is sealed opens in its own context with its own key, and no other way", () => {
  const sealer = new Sealer(systemRandom.bytes(32), systemRandom);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string(), fc.nat(), (text, context, at) => {
      const sealed = sealer.seal(text, context);
      assert.equal(sealer.open(sealed, context), text);
      assert.throws(() => sealer.open(sealed, `${context}x`), UnavailableError);
      const other = new Sealer(systemRandom.bytes(32), systemRandom);
      assert.throws(() => other.open(sealed, context), UnavailableError);
      const bytes = Buffer.from(sealed, "base64");
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ 1;
      assert.throws(() => sealer.open(bytes.toString("base64"), context), UnavailableError);
    }),
    { numRuns: 50 },
  );
});

test("the master key is made once, for its owner only, and a damaged one is refused", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-key-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "master.key");
  const key = await openMasterKey(path, systemRandom);
  assert.deepEqual(Buffer.from(await openMasterKey(path, systemRandom)), Buffer.from(key));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await writeFile(path, (await readFile(path, "utf8")).slice(0, 10));
  await assert.rejects(openMasterKey(path, systemRandom), SetupError);
});
