/** The machine's side of `protocol/node-join.ts`: how it gets keys, and how it makes them new. */
import type { Dial } from "../agent/agent-deps.ts";
import type { Clock } from "../lib/clock.ts";
import { UnavailableError } from "../lib/errors.ts";
import type { Credentials } from "../lib/sigv4.ts";
import { signRequest } from "../lib/sigv4.ts";
import {
  MACHINE_PARAMETER,
  NODE_JOIN_PATH,
  NODE_KEYS_PATH,
  type NodeKeysMessage,
} from "../protocol/node-join.ts";
import type { JoinToken } from "./join-token.ts";
import type { Membership } from "./membership.ts";

/** Chosen: a server that is busy answers within it. */
const EXCHANGE_MS_MAX = 30_000;

export interface Machine {
  /** `i-…`, of 17 hexadecimal digits. */
  readonly ec2InstanceId: string;
  readonly clock: Clock;
  readonly dial: Dial;
  /** Resolves when the disk has it: the server then withdraws the older keys. */
  readonly save: (membership: Membership) => Promise<void>;
}

/** Joins by a token and saves the membership. Rejects with what the server said, or when `signal` aborts. */
export function joinServer(
  token: JoinToken,
  machine: Machine,
  signal: AbortSignal,
): Promise<Membership> {
  const { endpoint, ca, region } = token;
  const exchange = { endpoint, ca, path: NODE_JOIN_PATH, region, credentials: token };
  return keysThrough(exchange, machine, signal);
}

/** Asks for new keys by the present ones and saves them. Throws UnavailableError; the present ones then stay. */
export async function renewKeys(
  { endpoint, ca, region, keys }: Membership,
  machine: Machine,
  signal: AbortSignal,
): Promise<Membership> {
  const [credentials] = Object.values(keys);
  if (credentials === undefined) throw new UnavailableError("this machine has no key");
  return keysThrough({ endpoint, ca, path: NODE_KEYS_PATH, region, credentials }, machine, signal);
}

interface Exchange {
  readonly endpoint: string;
  readonly ca: string | undefined;
  readonly path: string;
  readonly region: string;
  readonly credentials: Credentials;
}

async function keysThrough(
  exchange: Exchange,
  machine: Machine,
  signal: AbortSignal,
): Promise<Membership> {
  const overdue = new AbortController();
  const callOff = machine.clock.after(EXCHANGE_MS_MAX, () =>
    overdue.abort(new UnavailableError(`no keys in ${EXCHANGE_MS_MAX} ms`)),
  );
  try {
    return await exchangeKeys(exchange, machine, AbortSignal.any([signal, overdue.signal]));
  } finally {
    callOff();
  }
}

async function exchangeKeys(
  exchange: Exchange,
  machine: Machine,
  limit: AbortSignal,
): Promise<Membership> {
  const { endpoint, ca } = exchange;
  const { url, headers } = handshake(exchange, machine);
  const socket = await machine.dial(url, headers, limit);
  const { promise, resolve, reject } = Promise.withResolvers<Membership>();
  let saving: Promise<Membership> | undefined;
  // What is being written to the disk will be there, whether or not the server hears of it: those keys work, and are the ones to go on with.
  const end = (error: unknown): void => {
    if (saving === undefined) reject(error);
    else saving.then(resolve, reject);
  };
  socket.onMessage((text) => {
    const message = JSON.parse(text) as NodeKeysMessage;
    if (message.type === "done") {
      saving?.then(resolve, reject);
      return;
    }
    const received: Membership = { endpoint, ...(ca !== undefined && { ca }), ...message.keys };
    saving = machine.save(received).then(() => {
      socket.send(JSON.stringify({ type: "saved" }));
      return received;
    });
    saving.catch(reject);
  });
  socket.onClose((code, reason) =>
    end(new UnavailableError(`the server closed the connection (${code} ${reason})`)),
  );
  const hangUp = (): void => {
    end(limit.reason);
    socket.close(1001, "the exchange is over");
  };
  limit.addEventListener("abort", hangUp, { once: true });
  if (limit.aborted) hangUp();
  return promise.finally(() => limit.removeEventListener("abort", hangUp));
}

function handshake(
  { endpoint, path, region, credentials }: Exchange,
  { ec2InstanceId, clock }: Machine,
): { readonly url: string; readonly headers: Readonly<Record<string, string>> } {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const url = new URL(path, endpoint.replace(/^http/, "ws"));
  url.searchParams.set(MACHINE_PARAMETER, ec2InstanceId);
  const headers = signRequest({
    method: "GET",
    url,
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
    },
    service: "ecs",
    region,
    now: clock.now(),
  });
  return { url: url.href, headers };
}
