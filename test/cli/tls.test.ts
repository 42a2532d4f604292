/** HTTPS: a certificate by a private authority, or a given one; the CLI, the SDK and our own node verify it. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:https";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect } from "node:tls";
import { command, GantryKit, skipReason } from "../e2e/gantry-kit.ts";
import { gantry, snapshot, startServer, temporaryDirectory } from "./cli-kit.ts";

const skip = await skipReason();
const GENERATE = ["--tls", "generate"];

/** Resolves when a GET that trusts `ca` alone, and expects the certificate to be for `name`, has its answer. */
function answers(url: string, ca: string, name: string): Promise<void> {
  const agent = new Agent({ ca, servername: name });
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume();
      resolve();
    }).on("error", reject);
  });
}

/** A self-signed certificate and its key. */
async function selfSigned(directory: string, subject: string, names: string): Promise<string[]> {
  const [certificate, key] = [join(directory, `${subject}.pem`), join(directory, `${subject}.key`)];
  const made = await command("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${subject}`],
    ...["-addext", `subjectAltName=${names}`, "-keyout", key, "-out", certificate],
  ]);
  assert.equal(made.code, 0, made.stderr);
  return [certificate, key];
}

describe("a certificate made here", () => {
  test("the AWS CLI verifies it with what `gantry env` says, and refuses without", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    await using server = await startServer(data, { flags: GENERATE });
    assert.match(server.endpoint, /^https:/);
    const program = `eval "$(bin/gantry env)"; aws --endpoint-url $AWS_ENDPOINT_URL ecs list-clusters`;
    const environment = { GANTRY_DATA_DIR: data };
    const trusting = await command("sh", ["-c", program], environment);
    assert.equal(trusting.code, 0, trusting.stderr);
    const distrusting = program.replace("aws --", "unset AWS_CA_BUNDLE; aws --");
    const refused = await command("sh", ["-c", distrusting], environment);
    assert.match(refused.stderr, /SSL validation failed/);
    assert.equal((await gantry(data, "aws", "ecs", "list-clusters")).code, 0);
    assert.match((await gantry(data, "status")).stdout, /is running/);
  });

  test("it is for every name that a client may use, and the keys are for their owner only", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    const flags = [...GENERATE, "--endpoint-host", "gantry.test"];
    await using server = await startServer(data, { flags });
    const { port } = new URL(server.endpoint);
    assert.equal(server.endpoint, `https://gantry.test:${port}`);
    const ca = readFileSync(join(data, "tls/ca.pem"), "utf8");
    for (const name of ["gantry.test", "data-gantry.test", "stream-gantry.test", "localhost"]) {
      await answers(`https://127.0.0.1:${port}/`, ca, name);
    }
    await assert.rejects(answers(`https://127.0.0.1:${port}/`, ca, "other.test"), /altnames/);
    for (const key of ["ca-key.pem", "server-key.pem"])
      assert.equal(statSync(join(data, "tls", key)).mode & 0o777, 0o600);
  });

  test("it is made once, and again by the same authority when its names change", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    const start = async (...flags: string[]): Promise<Record<string, string>> => {
      await using _server = await startServer(data, { flags: [...GENERATE, ...flags] });
      return snapshot(join(data, "tls"));
    };
    const first = await start();
    assert.deepEqual(await start(), first);
    const second = await start("--endpoint-host", "new.test");
    assert.equal(second["ca.pem"], first["ca.pem"]);
    assert.notEqual(second["server.pem"], first["server.pem"]);
    const { subjectAltName } = new X509Certificate(readFileSync(join(data, "tls/server.pem")));
    assert.match(subjectAltName ?? "", /DNS:new\.test/);
  });

  test("the ECS agent's literal host:port is among its names", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    const { certificateNames } = await import("../../src/cli/certificate-names.ts");
    const { readSettings } = await import("../../src/config.ts");
    const { issueCertificate } = await import("../../src/cli/private-authority.ts");
    const { systemClock } = await import("../../src/lib/clock.ts");
    const names = certificateNames(readSettings({ listen: "[::1]:7943" }, {}));
    const { certificate } = await issueCertificate({ directory: data, names, clock: systemClock });
    const { subjectAltName = "" } = new X509Certificate(certificate);
    for (const name of ["DNS:localhost:7943", "DNS:[::1]:7943", "DNS:127.0.0.1:7943"])
      assert.ok(subjectAltName.split(", ").includes(name), subjectAltName);
  });

  test("our own node registers and stays connected over HTTPS", { skip }, async () => {
    await using kit = new GantryKit();
    await kit.start(...GENERATE);
    assert.match(kit.output, /node\/ec2: connected to the server/);
    assert.match((await kit.gantry("status")).stdout, /instances +1/);
  });

  test("a peer that speaks plain HTTP, or nothing, does no harm", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    await using server = await startServer(data, { flags: GENERATE });
    const plain = server.endpoint.replace("https", "http");
    await assert.rejects(fetch(plain));
    const { port } = new URL(server.endpoint);
    const old = connect({
      port: Number(port),
      host: "127.0.0.1",
      maxVersion: "TLSv1.1",
      minVersion: "TLSv1.1",
      ciphers: "DEFAULT:@SECLEVEL=0",
      rejectUnauthorized: false,
    });
    await new Promise((resolve) => old.once("error", resolve));
    const ca = readFileSync(join(data, "tls/ca.pem"), "utf8");
    await answers(`${server.endpoint}/`, ca, "localhost");
  });
});

describe("a given certificate", () => {
  test("is served, with the authority that clients need", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    const [certificate = "", key = ""] = await selfSigned(
      directory.path,
      "given",
      "DNS:localhost,IP:127.0.0.1",
    );
    const flags = ["--tls-cert", certificate, "--tls-key", key, "--tls-ca", certificate];
    await using server = await startServer(data, { flags });
    const pem = readFileSync(certificate, "utf8");
    await answers(`${server.endpoint}/`, pem, "localhost");
    const { stdout } = await gantry(data, "env");
    assert.ok(stdout.includes(`export AWS_CA_BUNDLE=${certificate}\n`), stdout);
    assert.equal((await gantry(data, "aws", "ecs", "list-clusters")).code, 0);
  });

  test("that cannot work is refused with what to do, and changes nothing", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    const [certificate = "", key = ""] = await selfSigned(directory.path, "a", "DNS:a.test");
    const [, otherKey = ""] = await selfSigned(directory.path, "b", "DNS:b.test");
    const nonsense = join(directory.path, "nonsense.pem");
    writeFileSync(nonsense, "nonsense");
    for (const [cert, itsKey, pattern] of [
      [certificate, key, /is not for 127\.0\.0\.1, but for DNS:a\.test: say with --endpoint-host/],
      [certificate, otherKey, /\(--tls-key\) is not the key of/],
      [nonsense, key, /nonsense\.pem \(--tls-cert\) is not what it should be/],
      [certificate, nonsense, /nonsense\.pem \(--tls-key\) is not what it should be/],
    ] as const) {
      const flags = ["--data-dir", data, "--listen", "127.0.0.1:0", "--tls-cert", cert];
      const { code, stderr } = await command("bin/gantry", [
        "server",
        ...flags,
        "--tls-key",
        itsKey,
      ]);
      assert.equal(code, 1);
      assert.match(stderr, /^gantry: [^\n]+\n$/);
      assert.match(stderr, pattern);
    }
    assert.deepEqual(snapshot(data), {});
  });
});
