import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { FindProviderKeys } from "./deps.ts";
import { createFindProviderKeys } from "./provider-keys.ts";

const KEY = { kty: "RSA", kid: "1" };
const DISCOVERED: Readonly<Record<string, unknown>> = {
  "https://issuer.example.com/path/.well-known/openid-configuration": {
    jwks_uri: "https://issuer.example.com/keys",
  },
  "https://issuer.example.com/keys": { keys: [KEY, null, "x"] },
  "https://plain.example.com/.well-known/openid-configuration": {
    jwks_uri: "http://plain.example.com/keys",
  },
  "https://odd.example.com/.well-known/openid-configuration": {
    jwks_uri: "https://odd.example.com/keys",
  },
  "https://odd.example.com/keys": [],
};

interface Kit {
  readonly find: FindProviderKeys;
  readonly clock: VirtualClock;
  readonly directory: string;
  readonly fetched: string[];
}

function start(t: TestContext): Kit {
  const directory = mkdtempSync(join(tmpdir(), "gantry-keys-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const clock = new VirtualClock(0);
  const fetched: string[] = [];
  const fetchJson = async (url: string): Promise<unknown> => {
    fetched.push(url);
    if (url in DISCOVERED) return DISCOVERED[url];
    throw new Error("getaddrinfo ENOTFOUND");
  };
  return {
    find: createFindProviderKeys({ clock, directory, fetchJson }),
    clock,
    directory,
    fetched,
  };
}

test("keys are discovered, and asked for again after some minutes", async (t) => {
  const { find, clock, fetched } = start(t);
  const url = "issuer.example.com/path";
  assert.deepEqual(await find(url), { keys: [KEY] });
  await Promise.all([find(url), find(url)]);
  assert.equal(fetched.length, 2);
  await clock.advance(5 * 60_000);
  await find(url);
  assert.equal(fetched.length, 4);
});

test("what the operator gives is taken in place of discovery", async (t) => {
  const { find, directory, fetched } = start(t);
  const file = join(directory, "issuer.example.com%2Fpath.json");
  writeFileSync(file, JSON.stringify({ keys: [{ kty: "EC" }] }));
  assert.deepEqual(await find("issuer.example.com/path"), { keys: [{ kty: "EC" }] });
  assert.deepEqual(fetched, []);
});

test("a name from a token is no way out of the directory", async (t) => {
  const { find, fetched } = start(t);
  await assert.rejects(find("../../../etc/passwd"), { code: "IDPCommunicationErrorException" });
  assert.equal(fetched.length, 1, "it was looked for as a provider");
});

for (const [what, url, reason] of [
  ["cannot be reached", "nowhere.example.com", /ENOTFOUND/],
  ["has its keys in plain HTTP", "plain.example.com", /no jwks_uri/],
  ["answers with something else", "odd.example.com", /no JSON Web Key Set/],
] as const) {
  test(`a provider that ${what} is a communication error, and is asked again`, async (t) => {
    const { find, fetched } = start(t);
    const expected = { code: "IDPCommunicationErrorException", message: reason };
    await assert.rejects(find(url), expected);
    const asked = fetched.length;
    await assert.rejects(find(url), expected);
    assert.equal(fetched.length, 2 * asked);
  });
}
