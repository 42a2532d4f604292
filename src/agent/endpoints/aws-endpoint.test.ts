import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createServer } from "node:tls";
import { issueCertificate } from "../../cli/private-authority.ts";
import { systemClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import { machineDisk } from "../disk.ts";
import { awsEndpointForTasks } from "./aws-endpoint.ts";

interface Given {
  readonly url: string;
  readonly caBundlePath?: string;
}

/** What tasks are given by a node whose door has a certificate of these names. */
async function withDoor(
  names: readonly string[],
  body: (given: Given, door: string, ca: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "gantry-endpoint-"));
  const place = { directory, names, clock: systemClock };
  const { authority, certificate, key } = await issueCertificate(place);
  const server = createServer({ cert: certificate, key });
  server.on("tlsClientError", () => undefined);
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  try {
    const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const caBundlePath = join(directory, "bundle.pem");
    const options = {
      endpoint,
      ca: authority.pem,
      caBundlePath,
      disk: machineDisk,
      log: silentLog,
    };
    await body(await awsEndpointForTasks(options), endpoint, authority.pem);
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

test("tasks are given the link-local address, and trust the private authority beside the public ones", async () => {
  await withDoor(["IP:127.0.0.1", "IP:169.254.170.2"], async (given, _door, ca) => {
    assert.equal(given.url, "https://169.254.170.2:4566");
    const bundle = await readFile(given.caBundlePath ?? "", "utf8");
    const certificates = bundle.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs);
    assert.ok((certificates?.length ?? 0) > 100);
    for (const certificate of certificates ?? []) assert.ok(new X509Certificate(certificate).ca);
    assert.ok(bundle.includes(ca.trim()));
  });
});

test("a certificate without that address leaves the server's own", async () => {
  await withDoor(["IP:127.0.0.1"], async (given, door) => {
    assert.equal(given.url, door);
    assert.ok(given.caBundlePath);
  });
});

test("plain HTTP needs no certificates; a door that cannot be asked yet is taken for one of our own making", async () => {
  const options = { caBundlePath: "/dev/null", disk: { writeText: async () => undefined } };
  const ask = (endpoint: string, ca?: string): Promise<Given> =>
    awsEndpointForTasks({ ...options, endpoint, ca, log: silentLog });
  assert.deepEqual(await ask("http://127.0.0.1:1"), { url: "http://169.254.170.2:4566" });
  assert.equal((await ask("https://127.0.0.1:1", "PEM")).url, "https://169.254.170.2:4566");
  assert.deepEqual(await ask("https://127.0.0.1:1"), { url: "https://127.0.0.1:1" });
});
