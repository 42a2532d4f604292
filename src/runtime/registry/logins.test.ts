import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseReference } from "../reference.ts";
import { findLogin, loginIn } from "./logins.ts";

const LOGIN = { username: "me", password: "a:b" };
const ENTRY = { auth: btoa("me:a:b") };

function login(auths: Parameters<typeof loginIn>[0], image: string): unknown {
  const reference = parseReference(image);
  assert.ok(reference);
  return loginIn(auths, reference);
}

test("an image's login is that of its registry, or of the longest path that it lies in", () => {
  const team = { username: "team", password: "t" };
  const auths = { "registry.example:5000": ENTRY, "registry.example:5000/team/web": team };
  assert.deepEqual(login(auths, "registry.example:5000/app"), LOGIN);
  assert.deepEqual(login(auths, "registry.example:5000/team/web:1"), team);
  assert.deepEqual(login(auths, "registry.example:5000/team/webshop"), LOGIN);
  assert.equal(login(auths, "registry.example/app"), undefined);
  assert.equal(login(auths, "app"), undefined);
});

test("Docker Hub goes by many names", () => {
  for (const key of [
    "https://index.docker.io/v1/",
    "index.docker.io",
    "docker.io",
    "registry-1.docker.io",
    "https://registry-1.docker.io/v2/",
  ]) {
    assert.deepEqual(login({ [key]: ENTRY }, "app"), LOGIN, key);
  }
});

test("entries as tools write them, and those that say nothing", () => {
  const token = { identityToken: "secret" };
  assert.deepEqual(login({ x: {}, "r.example": LOGIN }, "r.example/a"), LOGIN);
  const withToken = { ...ENTRY, identitytoken: "secret" };
  assert.deepEqual(login({ "r.example": withToken }, "r.example/a"), token);
  for (const entry of [{}, { auth: 1 }, { auth: "" }, { auth: btoa("nocolon") }]) {
    assert.equal(login({ "r.example": entry }, "r.example/a"), undefined);
  }
});

test("a file that cannot be used is named, and nothing of it is said", async () => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-logins-"));
  try {
    const file = join(directory, "config.json");
    const reference = parseReference("r.example/a");
    assert.ok(reference);
    await assert.rejects(
      findLogin(file, reference),
      /^ImageError: cannot read the registry logins/,
    );
    await writeFile(file, '{"auths": {"r.example": {"auth": "hunter2');
    await assert.rejects(findLogin(file, reference), (error: Error) => {
      assert.match(error.message, /are not JSON as 'docker login' writes it$/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
    await writeFile(file, JSON.stringify({ auths: { "r.example": ENTRY, other: null } }));
    assert.deepEqual(await findLogin(file, reference), LOGIN);
    await writeFile(file, JSON.stringify({ credsStore: "desktop" }));
    assert.equal(await findLogin(file, reference), undefined);
  } finally {
    await rm(directory, { recursive: true });
  }
});
