/** The token flow of registries, against one in this process. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, test } from "node:test";
import { FakeRegistry, refuse, type SeenRequest } from "../../../test/images/fake-registry.ts";
import { imageContent } from "../../../test/images/image-content.ts";
import { parseReference } from "../reference.ts";
import type { RegistryCredentials } from "./logins.ts";
import { RegistryError } from "./registry-error.ts";
import { createRegistries, type OpenRepository } from "./repository.ts";
import { createTransport } from "./transport.ts";

const never = new AbortController().signal;
const LOGIN = { username: "me", password: "hunter2" };
const image = await imageContent();
let registry: FakeRegistry;
let now: number;
let open: OpenRepository;
/** What the token service answers; tokens are good only for the caller and scope they were given for. */
let token: (request: SeenRequest, response: ServerResponse) => void;
let given: Set<string>;
let realm: string;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  registry.put("team/app:1", image);
  registry.put("team/other:1", image);
  now = 1_000_000;
  given = new Set();
  realm = `http://${registry.host}/token`;
  token = (request, response) => {
    const isKnown = request.authorization === `Basic ${btoa("me:hunter2")}`;
    if (!isKnown && !request.body.includes("refresh_token=identity")) {
      return refuse(response, 401, "UNAUTHORIZED", "wrong password");
    }
    const value = `token-${given.size}`;
    given.add(value);
    response.end(JSON.stringify({ token: value, expires_in: 300 }));
  };
  registry.handle = (request, response) => {
    if (request.path === "/v2/") return false;
    if (request.path.startsWith("/token")) {
      token(request, response);
      return true;
    }
    if (given.has(request.authorization?.replace("Bearer ", "") ?? "")) return false;
    const repository = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(request.path)?.[1];
    const challenge = `Bearer realm="${realm}",service="test",scope="repository:${repository}:pull"`;
    refuse(response, 401, "UNAUTHORIZED", "authentication required", {
      "www-authenticate": challenge,
    });
    return true;
  };
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  const random = { next: () => 0.5 } as Parameters<typeof createRegistries>[0]["random"];
  open = createRegistries({ transport: createTransport(), insecure: [], clock, random });
});
afterEach(async () => registry[Symbol.asyncDispose]());

async function resolve(credentials?: RegistryCredentials, name = "team/app:1"): Promise<void> {
  const reference = parseReference(`${registry.host}/${name}`);
  assert.ok(reference);
  const { digest } = await open(reference, credentials).resolve(never);
  assert.equal(digest, image.root.digest);
}

function tokenRequests(): readonly SeenRequest[] {
  return registry.seen.filter(({ path }) => path.startsWith("/token"));
}

test("a token is got for the repository with the login, and used while it lasts", async () => {
  await resolve(LOGIN);
  await resolve(LOGIN);
  const [request, ...more] = tokenRequests();
  assert.deepEqual(more, []);
  assert.equal(request?.path, "/token?service=test&scope=repository%3Ateam%2Fapp%3Apull");
  now += 295_000;
  await resolve(LOGIN);
  assert.equal(tokenRequests().length, 2);
});

test("a token is not used for another repository or another caller", async () => {
  await resolve(LOGIN);
  await resolve(LOGIN, "team/other:1");
  assert.equal(tokenRequests().length, 2);
  await assert.rejects(resolve({ ...LOGIN, password: "wrong" }), /incorrect username or password/);
  await assert.rejects(resolve(), /pull access denied/);
});

test("a token that was withdrawn is replaced", async () => {
  await resolve(LOGIN);
  given.clear();
  given.add("something else");
  await resolve(LOGIN);
  assert.equal(tokenRequests().length, 2);
});

test("an identity token is exchanged, and travels in the body only", async () => {
  await resolve({ identityToken: "identity" });
  const [request] = tokenRequests();
  assert.equal(request?.method, "POST");
  assert.equal(request.path, "/token");
  const form = new URLSearchParams(request.body);
  assert.equal(form.get("grant_type"), "refresh_token");
  assert.equal(form.get("scope"), "repository:team/app:pull");
});

test("an identity token does not follow a redirect to somebody else", async () => {
  await using elsewhere = await FakeRegistry.start();
  token = (_request, response) =>
    response.writeHead(307, { location: `http://${elsewhere.host}/token` }).end();
  await assert.rejects(resolve({ identityToken: "identity" }), /redirects a request with secrets/);
  assert.deepEqual(elsewhere.seen, []);
});

test("what a token service may say instead of a token", async () => {
  const cases: readonly [(response: ServerResponse) => void, RegExp, string][] = [
    [
      (response) => response.writeHead(503).end(),
      /^cannot get a token from http.*503/,
      "unreachable",
    ],
    [(response) => response.writeHead(404).end(), /^cannot get a token from http/, "unusable"],
    [(response) => response.end("{}"), /answered without a token$/, "unusable"],
    [(response) => response.end("not JSON"), /answered without a token$/, "unusable"],
    [
      (response) => response.end('{"token":"a\\r\\nb: c"}'),
      /answered without a token$/,
      "unusable",
    ],
  ];
  for (const [answer, expected, failure] of cases) {
    token = (_request, response) => answer(response);
    await assert.rejects(resolve(LOGIN), (error) => {
      assert.ok(error instanceof RegistryError);
      assert.match(error.message, expected);
      assert.equal(error.failure, failure);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  }
});

test("a token that opens nothing is a denial", async () => {
  token = (_request, response) => response.end(JSON.stringify({ access_token: "useless" }));
  await assert.rejects(resolve(LOGIN), /^RegistryError: pull access denied for .*team\/app/);
});

test("a token service that is none is not given the login", async () => {
  for (const text of ["", "not a url", "ftp://127.0.0.1/", "/token"]) {
    realm = text;
    await assert.rejects(resolve(LOGIN), /names no usable token service/);
  }
});
