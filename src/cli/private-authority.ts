import { execFile } from "node:child_process";
import { createPrivateKey, generateKeyPair, X509Certificate } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { util } from "../lib/builtins.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf, SetupError } from "../lib/errors.ts";

/** RSA, because the ECS agent offers no other suite in TLS 1.2; the size that every authority issues at least. */
const KEY_BITS = 2048;
const AUTHORITY_DAYS = 3650;
/** The longest life of a server's certificate that Apple's systems take, from private authorities too. */
const CERTIFICATE_DAYS = 825;
/** Renewed at a start from here on, so that a server may run for a year without one. */
const RENEW_MS = 365 * 24 * 3600 * 1000;

export interface IssuedCertificate {
  /** PEM, like the others. */
  readonly certificate: string;
  readonly key: string;
  readonly authority: { readonly path: string; readonly pem: string };
}

interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

interface Place {
  /** Made if missing (0700). */
  readonly directory: string;
  /** `DNS:localhost`, `IP:127.0.0.1`. */
  readonly names: readonly string[];
  readonly clock: Clock;
}

/**
 * A server's certificate for `names` by an authority of this directory's own. The authority is made once; the
 * certificate is kept as long as it is valid for these names. Throws SetupError, saying what to do.
 */
export async function issueCertificate(place: Place): Promise<IssuedCertificate> {
  await mkdir(place.directory, { recursive: true, mode: 0o700 });
  const authority = (await readPair(place, "ca")) ?? (await makeAuthority(place));
  const existing = await readPair(place, "server");
  const isGood = existing !== undefined && isUsable(existing, authority, place);
  const pair = isGood ? existing : await makeCertificate(place, authority);
  const path = join(place.directory, "ca.pem");
  return { ...pair, authority: { path, pem: authority.certificate } };
}

async function readPair({ directory }: Place, name: string): Promise<KeyPair | undefined> {
  const [certificate, key] = await Promise.all(
    [`${name}.pem`, `${name}-key.pem`].map((file) => readIfPresent(join(directory, file))),
  );
  if (certificate === undefined || key === undefined) return undefined;
  try {
    const isPair = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
    // A crash between the two files: both are made anew.
    return isPair ? { certificate, key } : undefined;
  } catch (cause) {
    throw new SetupError(
      `${join(directory, name)}*.pem are damaged (${messageOf(cause)}): restore them from a backup, or remove ${directory} to have new ones made`,
      { cause },
    );
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function isUsable(pair: KeyPair, authority: KeyPair, { names, clock }: Place): boolean {
  const certificate = new X509Certificate(pair.certificate);
  const issuer = new X509Certificate(authority.certificate);
  const covered = new Set(
    (certificate.subjectAltName ?? "")
      .split(", ")
      .map((name) => name.replace("IP Address:", "IP:")),
  );
  return (
    certificate.verify(issuer.publicKey) &&
    Date.parse(certificate.validTo) > clock.now() + RENEW_MS &&
    names.every((name) => covered.has(canonical(name)))
  );
}

/** As Node shows a name: IPv6 addresses in full, in capitals. */
function canonical(name: string): string {
  if (!name.startsWith("IP:") || !name.slice(3).includes(":")) return name;
  const full = new URL(`http://[${name.slice(3)}]`).hostname.slice(1, -1);
  const [head = "", tail] = full.split("::");
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return `IP:${[...left, ...zeros, ...right].join(":").toUpperCase()}`;
}

async function makeAuthority(place: Place): Promise<KeyPair> {
  return make(place, "ca", async (workspace, keyPath) => {
    const config = join(workspace, "ca.conf");
    await writeFile(
      config,
      `[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
O = Gantry
CN = Gantry private authority
[extensions]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`,
    );
    const days = String(AUTHORITY_DAYS);
    return openssl("req", "-x509", "-new", "-key", keyPath, "-days", days, "-config", config);
  });
}

async function makeCertificate(place: Place, authority: KeyPair): Promise<KeyPair> {
  return make(place, "server", async (workspace, keyPath) => {
    const file = (name: string): string => join(workspace, name);
    await writeFile(
      file("server.conf"),
      `[req]
prompt = no
distinguished_name = name
[name]
O = Gantry
CN = Gantry
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = @names
[names]
${place.names.map((name, index) => name.replace(":", `.${index} = `)).join("\n")}
`,
    );
    await writeFile(file("ca.pem"), authority.certificate);
    await writeFile(file("ca-key.pem"), authority.key, { mode: 0o600 });
    const config = ["-config", file("server.conf")];
    await openssl("req", "-new", "-key", keyPath, ...config, "-out", file("request.pem"));
    const by = ["-CA", file("ca.pem"), "-CAkey", file("ca-key.pem"), "-CAcreateserial"];
    const extensions = ["-extfile", file("server.conf"), "-extensions", "extensions"];
    const days = ["-days", String(CERTIFICATE_DAYS)];
    return openssl("x509", "-req", "-in", file("request.pem"), ...by, ...extensions, ...days);
  });
}

/** A new key and the certificate that `sign` makes for it, kept as `<name>.pem` and `<name>-key.pem`. */
async function make(
  { directory }: Place,
  name: string,
  sign: (workspace: string, keyPath: string) => Promise<string>,
): Promise<KeyPair> {
  const workspace = await mkdtemp(join(directory, "new-"));
  try {
    const { privateKey: key } = await util.promisify(generateKeyPair)("rsa", {
      modulusLength: KEY_BITS,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const keyPath = join(workspace, `${name}-key.pem`);
    const certificatePath = join(workspace, `${name}.pem`);
    // Flushed: else a loss of power could leave their names with nothing in them.
    await writeFile(keyPath, key, { mode: 0o600, flush: true });
    const certificate = await sign(workspace, keyPath);
    await writeFile(certificatePath, certificate, { flush: true });
    await chmod(certificatePath, 0o644);
    await rename(keyPath, join(directory, `${name}-key.pem`));
    await rename(certificatePath, join(directory, `${name}.pem`));
    return { certificate, key };
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

async function openssl(...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await util.promisify(execFile)("openssl", [args[0] ?? "", ...args.slice(1)]);
    return stdout;
  } catch (cause) {
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    throw new SetupError(
      code === "ENOENT"
        ? "openssl is not installed, which --tls generate needs: apt-get install openssl"
        : `openssl ${args[0]} failed: ${stderr?.trim() || messageOf(cause)}`,
      { cause },
    );
  }
}
