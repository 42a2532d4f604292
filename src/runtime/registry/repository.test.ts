/** The registry client against a registry that misbehaves in every way known. Pauses take no time. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, before, beforeEach, test } from "node:test";
import { FakeRegistry, refuse } from "../../../test/images/fake-registry.ts";
import {
  blobOf,
  type ImageContent,
  imageContent,
  noise,
} from "../../../test/images/image-content.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Descriptor } from "../containerd/messages.ts";
import type { PullRetry } from "../pull.ts";
import { parseReference, type Reference } from "../reference.ts";
import type { RegistryCredentials } from "./logins.ts";
import { RegistryError } from "./registry-error.ts";
import { createRegistries, type OpenRepository } from "./repository.ts";
import { createTransport } from "./transport.ts";

const never = new AbortController().signal;
const LOGIN = { username: "me", password: "hunter2" };
const BASIC = `Basic ${btoa("me:hunter2")}`;
let image: ImageContent;
let registry: FakeRegistry;
/** How long was slept, in ms, in order. */
let slept: number[];
let now: number;
let open: OpenRepository;

before(async () => {
  image = await imageContent({ layers: [{ "/noise": noise(300_000) }] });
});
beforeEach(async () => {
  registry = await FakeRegistry.start();
  registry.put("team/app:1", image);
  slept = [];
  now = 1_000_000;
  const clock: Pick<Clock, "now" | "sleep"> = {
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
  };
  const random = { next: () => 0.5 } as Parameters<typeof createRegistries>[0]["random"];
  open = createRegistries({ transport: createTransport(), insecure: [], clock, random });
});
afterEach(async () => registry[Symbol.asyncDispose]());

function referenceTo(name: string): Reference {
  const reference = parseReference(`${registry.host}/${name}`);
  assert.ok(reference);
  return reference;
}

function resolve(name = "team/app:1", credentials?: RegistryCredentials): Promise<Descriptor> {
  return open(referenceTo(name), credentials).resolve(never);
}

/** The large layer, as it arrives. */
async function download(credentials?: RegistryCredentials): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const blob = open(referenceTo("team/app:1"), credentials).blob(layer(), never);
  for await (const chunk of blob) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function layer(): Descriptor & { readonly bytes: Buffer } {
  const found = image.blobs.at(-1);
  assert.ok(found);
  return { ...found, size: found.bytes.length };
}

async function failureOf(work: Promise<unknown>): Promise<RegistryError> {
  const error = await work.then(
    () => assert.fail("it succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RegistryError, String(error));
  return error;
}

test("a tag stands for the digest that the registry says, or that its bytes have", async () => {
  const { digest, bytes, mediaType } = image.root;
  assert.deepEqual(await resolve(), { digest, mediaType, size: bytes.length });
  assert.deepEqual(
    registry.seen.map(({ method }) => method),
    ["GET", "HEAD"],
  );
  registry.handle = ({ method }, response) => {
    if (method === "HEAD") response.writeHead(405).end();
    return method === "HEAD";
  };
  assert.deepEqual(await resolve(), { digest, mediaType, size: bytes.length });
});

test("a manifest whose bytes are others than its digest says is refused", async () => {
  registry.handle = ({ method, path }, response) => {
    if (method !== "GET" || !path.includes("/manifests/")) return false;
    response.writeHead(200, { "content-type": image.root.mediaType }).end("{}");
    return true;
  };
  const manifest = open(referenceTo("team/app:1"), undefined).manifest(image.root.digest, never);
  const error = await failureOf(manifest);
  assert.deepEqual([error.failure, error.retries], ["unusable", 0]);
  assert.match(error.message, /^manifest verification failed for digest sha256:/);
});

test("what is not there, or not for everybody, is said as Docker says it, at once", async () => {
  const cases: readonly [number, string, string, string, RegExp][] = [
    [
      404,
      "MANIFEST_UNKNOWN",
      "manifest unknown",
      "notFound",
      /^manifest for .*\/team\/app:2 not found: manifest unknown: manifest unknown$/,
    ],
    [
      404,
      "NAME_UNKNOWN",
      "repository name not known to registry",
      "notFound",
      /^repository .*\/team\/app not found: name unknown: repository name not known to registry$/,
    ],
    [
      403,
      "DENIED",
      "requested access to the resource is denied",
      "denied",
      /^pull access denied for .*\/team\/app, repository does not exist or may require 'docker login': denied: requested access/,
    ],
    [
      400,
      "UNSUPPORTED",
      "no",
      "unusable",
      /^received unexpected HTTP status: 400 Bad Request: unsupported: no$/,
    ],
  ];
  for (const [status, code, message, failure, expected] of cases) {
    registry.handle = ({ path }, response) => {
      if (path === "/v2/") return false;
      refuse(response, status, code, message);
      return true;
    };
    const error = await failureOf(resolve("team/app:2"));
    assert.match(error.message, expected);
    assert.deepEqual([error.failure, error.retries], [failure, 0]);
  }
  assert.deepEqual(slept, []);
});

test("a registry that fails is asked again for half a minute, one that is full when it says", async () => {
  registry.handle = ({ path }, response) => {
    if (path === "/v2/") return false;
    response.writeHead(503).end("<html>");
    return true;
  };
  const error = await failureOf(resolve());
  assert.equal(error.message, "received unexpected HTTP status: 503 Service Unavailable");
  assert.deepEqual([error.failure, error.retries], ["unreachable", 5]);
  const waited = slept.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waited > 20_000 && waited < 40_000, String(waited));
  slept.length = 0;
  let refusals = 2;
  registry.handle = ({ path }, response) => {
    if (path === "/v2/" || refusals-- <= 0) return false;
    refuse(response, 429, "TOOMANYREQUESTS", "slow down", { "retry-after": "7" });
    return true;
  };
  await resolve();
  assert.deepEqual(slept, [7_000]);
  registry.handle = (_request, response) => {
    refuse(response, 429, "TOOMANYREQUESTS", "You have reached your pull rate limit");
    return true;
  };
  assert.match(
    (await failureOf(resolve())).message,
    /^toomanyrequests: You have reached your pull/,
  );
});

test("a registry where nobody listens", async () => {
  const reference = parseReference("127.0.0.1:9/app");
  assert.ok(reference);
  const error = await failureOf(open(reference, undefined).resolve(never));
  assert.equal(
    error.message,
    'Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused',
  );
  assert.deepEqual([error.failure, error.retries], ["unreachable", 5]);
});

test("somebody who waits is told at once that nobody listens, and of each time that a busy registry is asked again", async () => {
  const retries: string[] = [];
  const patience = {
    onRetry: ({ inMs, number, numberMax, reason }: PullRetry) =>
      retries.push(`${number}/${numberMax} in ${inMs}: ${reason}`),
  };
  const nobody = parseReference("127.0.0.1:9/app");
  assert.ok(nobody);
  const error = await failureOf(open(nobody, undefined, patience).resolve(never));
  assert.deepEqual([error.failure, error.retries], ["unreachable", 0]);
  assert.match(error.remedy ?? "", /name and port: 127\.0\.0\.1:9/);
  assert.deepEqual([slept, retries], [[], []]);
  let refusals = 2;
  registry.handle = ({ path }, response) => {
    if (path === "/v2/" || refusals-- <= 0) return false;
    response.writeHead(503).end();
    return true;
  };
  await open(referenceTo("team/app:1"), undefined, patience).resolve(never);
  const reason = "received unexpected HTTP status: 503 Service Unavailable";
  assert.deepEqual(retries, [`1/5 in 1100: ${reason}`, `2/5 in 2200: ${reason}`]);
});

test("a registry that keeps everybody waiting is given up after a minute", async () => {
  registry.handle = ({ path }, response) => {
    if (path === "/v2/") return false;
    now += 40_000;
    response.destroy();
    return true;
  };
  const error = await failureOf(resolve());
  assert.match(error.message, /^inactivity time exceeded timeout: Get "/);
  assert.deepEqual([error.failure, error.retries], ["unreachable", 1]);
});

test("a blob goes on where its connection broke, again and again as long as it gets further", async () => {
  const whole = layer().bytes;
  let breaks = 12;
  registry.handle = ({ path, range }, response) => {
    if (!path.includes("/blobs/") || breaks-- <= 0) return false;
    const from = Number(/=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    const rest = whole.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      "content-length": rest.length,
      ...(from > 0 && { "content-range": `bytes ${from}-${whole.length - 1}/${whole.length}` }),
    });
    response.write(rest.subarray(0, 10_000), () => response.destroy());
    return true;
  };
  assert.ok((await download()).equals(whole));
  const ranges = registry.blobRequests.map(({ range }) => range);
  assert.equal(ranges[0], undefined);
  assert.ok(ranges.length > 12);
  assert.equal(new Set(ranges).size, ranges.length, "each request begins further on");
});

test("a registry without ranges sends the blob again from its beginning", async () => {
  registry.ranges = false;
  const whole = layer().bytes;
  let breaks = 2;
  registry.handle = ({ path }, response) => {
    if (!path.includes("/blobs/") || breaks-- <= 0) return false;
    response.writeHead(200, { "content-length": whole.length });
    response.write(whole.subarray(0, 70_000), () => response.destroy());
    return true;
  };
  assert.ok((await download()).equals(whole));
});

test("a blob that gets no further is given up", async () => {
  registry.handle = ({ path }, response) => {
    if (!path.includes("/blobs/")) return false;
    response.destroy();
    return true;
  };
  const error = await failureOf(download());
  assert.deepEqual([error.failure, error.retries], ["unreachable", 5]);
  assert.match(error.message, /connection reset by peer|EOF|hang up/);
});

test("a blob that is shorter or longer than its descriptor says, and a wrong range", async () => {
  const { bytes } = layer();
  const answer = (body: Buffer, headers: Record<string, string> = {}, status = 200): void => {
    registry.handle = ({ path }, response) => {
      if (!path.includes("/blobs/")) return false;
      response.writeHead(status, headers).end(body);
      return true;
    };
  };
  answer(Buffer.concat([bytes, Buffer.from("more")]));
  assert.match((await failureOf(download())).message, /is longer than the \d+ bytes/);
  answer(bytes.subarray(0, 1000));
  assert.match((await failureOf(download())).message, /^unexpected EOF|another range/);
  answer(bytes, { "content-range": "bytes 5-10/20" }, 206);
  assert.match((await failureOf(download())).message, /another range than was asked for/);
  registry.handle = ({ path }, response) => {
    if (path.includes("/blobs/")) refuse(response, 404, "BLOB_UNKNOWN", "blob unknown");
    return path.includes("/blobs/");
  };
  const gone = await failureOf(download());
  assert.match(gone.message, /^blob sha256:.* not found: blob unknown to registry$/);
  assert.equal(gone.retries, 0);
});

test("credentials go to the registry and to nobody it redirects to", async () => {
  const elsewhere: (string | undefined)[] = [];
  const storage = createServer((request, response) => {
    elsewhere.push(request.headers.authorization);
    response.end(layer().bytes);
  }).listen(0, "127.0.0.1");
  try {
    await new Promise((resolveListening) => storage.once("listening", resolveListening));
    const { port } = storage.address() as { port: number };
    registry.handle = ({ authorization, path }, response) => {
      if (authorization !== BASIC) {
        response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
        return true;
      }
      if (!path.includes("/blobs/")) return false;
      response.writeHead(307, { location: `http://127.0.0.1:${port}/blob` }).end();
      return true;
    };
    await resolve("team/app:1", LOGIN);
    assert.ok((await download(LOGIN)).equals(layer().bytes));
    assert.deepEqual(elsewhere, [undefined]);
  } finally {
    storage.closeAllConnections();
    storage.close();
  }
});

test("redirects without end, to nonsense or to other schemes are refused", async () => {
  for (const [location, expected] of [
    ["/v2/team/app/blobs/again", /^stopped after 5 redirects/],
    ["http://[", /which is no URL$/],
    ["ftp://127.0.0.1/blob", /redirects to a ftp: URL$/],
  ] as const) {
    registry.handle = ({ path }, response) => {
      if (!path.includes("/blobs/")) return false;
      response.writeHead(307, { location }).end();
      return true;
    };
    assert.match((await failureOf(download())).message, expected);
  }
});

test("a Basic challenge is answered with the login, and without one it is said that there is none", async () => {
  registry.handle = ({ authorization }, response) => {
    if (authorization === BASIC) return false;
    refuse(response, 401, "UNAUTHORIZED", "authentication required", {
      "www-authenticate": 'Basic realm="test"',
    });
    return true;
  };
  await resolve("team/app:1", LOGIN);
  const wrong = await failureOf(resolve("team/app:1", { username: "me", password: "wrong" }));
  assert.equal(wrong.failure, "denied");
  assert.doesNotMatch(wrong.message, /hunter2|wrong/);
  const none = await failureOf(resolve());
  assert.match(none.message, /^pull access denied for .*no basic auth credentials$/);
});

test("a blob that is empty is nothing to fetch", async () => {
  const empty = blobOf("x", Buffer.alloc(0));
  const chunks = open(referenceTo("team/app:1"), undefined).blob({ ...empty, size: 0 }, never);
  for await (const _chunk of chunks) assert.fail("there is nothing in it");
  assert.deepEqual(registry.blobRequests, []);
});

test("an abort ends a download that hangs", async () => {
  const abort = new AbortController();
  registry.handle = ({ path }, response) => {
    if (!path.includes("/blobs/")) return false;
    response.writeHead(200, { "content-length": layer().size });
    response.write(layer().bytes.subarray(0, 10), () => abort.abort(new Error("enough")));
    return true;
  };
  const blob = open(referenceTo("team/app:1"), undefined).blob(layer(), abort.signal);
  await assert.rejects(async () => {
    for await (const _chunk of blob);
  }, /^Error: enough$/);
});

test("an answer that nobody reads to its end keeps no connection beyond the close", async () => {
  const transport = createTransport();
  const { digest } = image.blobs.find(({ bytes }) => bytes.length > 300_000) ?? image.root;
  const url = new URL(`http://${registry.host}/v2/team/app/blobs/${digest}`);
  const { body } = await transport.send({ method: "GET", url, headers: {} }, never);
  const broken = once(body, "end");
  transport.close();
  await assert.rejects(broken, { code: "ECONNRESET" });
});
