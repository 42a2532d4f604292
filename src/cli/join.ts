/** The machine's side of `protocol/node-join.ts`: how it gets keys, and how it makes them new. */
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { messageOf, SetupError, UnavailableError } from "../lib/errors.ts";
import type { Credentials } from "../lib/sigv4.ts";
import { signRequest } from "../lib/sigv4.ts";
import { dialWebSocket } from "../lib/websocket.ts";
import {
  ALREADY_JOINED,
  MACHINE_PARAMETER,
  NODE_JOIN_PATH,
  NODE_KEYS_PATH,
  type NodeKeysMessage,
} from "../protocol/node-join.ts";
import type { JoinToken } from "./join-token.ts";
import { type Membership, writeMembership } from "./membership.ts";

/** Chosen: a server that is busy answers within it. */
const EXCHANGE_MS_MAX = 30_000;

/** Joins by a token and writes the membership down. Throws SetupError with what to do. */
export async function joinServer(
  token: JoinToken,
  { dataDirectory, ec2InstanceId, clock }: Machine,
): Promise<Membership> {
  const { endpoint, ca } = token;
  const exchange = { endpoint, ca, path: NODE_JOIN_PATH, region: token.region, credentials: token };
  return keysThrough(exchange, { dataDirectory, ec2InstanceId, clock }).catch((cause: unknown) => {
    const cure = messageOf(cause).includes(String(ALREADY_JOINED))
      ? `remove ${join(dataDirectory, "identity.json")} and try again`
      : "a token is good for an hour: make a new one with 'gantry token' on the server's machine";
    throw new SetupError(`cannot join ${endpoint}: ${messageOf(cause)}; ${cure}`, { cause });
  });
}

/** Asks for new keys by the present ones and writes them down. Throws UnavailableError; the present ones then stay. */
export function renewKeys(
  { endpoint, ca, region, keys }: Membership,
  machine: Machine,
): Promise<Membership> {
  const [credentials] = Object.values(keys);
  if (credentials === undefined) throw new UnavailableError("this machine has no key");
  return keysThrough({ endpoint, ca, path: NODE_KEYS_PATH, region, credentials }, machine);
}

export interface Machine {
  readonly dataDirectory: string;
  readonly ec2InstanceId: string;
  readonly clock: Clock;
}

interface Exchange {
  readonly endpoint: string;
  readonly ca: string | undefined;
  readonly path: string;
  readonly region: string;
  readonly credentials: Credentials;
}

async function keysThrough(exchange: Exchange, machine: Machine): Promise<Membership> {
  const { endpoint, ca, path, region } = exchange;
  const { accessKeyId, secretAccessKey, sessionToken } = exchange.credentials;
  const url = new URL(path, endpoint.replace(/^http/, "ws"));
  url.searchParams.set(MACHINE_PARAMETER, machine.ec2InstanceId);
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
    now: machine.clock.now(),
  });
  const limit = AbortSignal.timeout(EXCHANGE_MS_MAX);
  const socket = await dialWebSocket(url.href, headers, limit, { ca });
  const { promise, resolve, reject } = Promise.withResolvers<Membership>();
  let membership: Membership | undefined;
  socket.onMessage((text) => {
    const message = JSON.parse(text) as NodeKeysMessage;
    if (message.type === "done") return membership && resolve(membership);
    const received: Membership = { endpoint, ...(ca !== undefined && { ca }), ...message.keys };
    writeMembership(machine.dataDirectory, received).then(() => {
      membership = received;
      socket.send(JSON.stringify({ type: "saved" }));
    }, reject);
  });
  socket.onClose((code, reason) => {
    // On disk already: whether the server has noted it or not, these keys work.
    if (membership !== undefined) return resolve(membership);
    reject(new UnavailableError(`the server closed the connection (${code} ${reason})`));
  });
  limit.addEventListener("abort", () => socket.close(1001, "no answer in time"));
  return promise;
}
