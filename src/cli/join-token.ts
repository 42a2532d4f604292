import { SetupError } from "../lib/errors.ts";

/** All that a machine has to know to join: where, whom to trust, and what proves that it may. */
export interface JoinToken {
  readonly endpoint: string;
  /** What its credentials sign for. */
  readonly region: string;
  /** PEM of the server's private authority; undefined: a public one, or plain HTTP on loopback. */
  readonly ca?: string | undefined;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

const PREFIX = "gantry1.";

/** A token as one word. It is a secret. */
export function formatJoinToken(token: JoinToken): string {
  return PREFIX + Buffer.from(JSON.stringify(token)).toString("base64url");
}

/** Reads what {@link formatJoinToken} wrote. Throws SetupError, which does not repeat the text. */
export function parseJoinToken(text: string): JoinToken {
  const token = text.startsWith(PREFIX) ? decode(text.slice(PREFIX.length)) : undefined;
  const isWhole =
    token !== undefined &&
    ["endpoint", "region", "accessKeyId", "secretAccessKey", "sessionToken"].every(
      (name) => typeof Reflect.get(token, name) === "string",
    );
  if (isWhole && URL.canParse(token.endpoint)) return token;
  throw new SetupError(
    "--join (GANTRY_JOIN) is not a whole join token: copy the one line that 'gantry token' prints on the server's machine",
  );
}

function decode(body: string): JoinToken | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(body, "base64url").toString());
    return typeof document === "object" && document !== null ? (document as JoinToken) : undefined;
  } catch {
    return undefined;
  }
}
