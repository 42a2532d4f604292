import assert from "node:assert/strict";
import { test } from "node:test";
import { parseImageDocument } from "./image-documents.ts";

function stopSignalOf(StopSignal?: string): string {
  const document = { rootfs: { diff_ids: [] }, config: { StopSignal } };
  return parseImageDocument(Buffer.from(JSON.stringify(document))).config.stopSignal;
}

test("an image's stop signal is SIGTERM where it names none, or one that no machine has", () => {
  assert.equal(stopSignalOf("SIGRTMIN+3"), "SIGRTMIN+3");
  for (const text of [undefined, "", "SIGGONE", "99"]) assert.equal(stopSignalOf(text), "SIGTERM");
});
