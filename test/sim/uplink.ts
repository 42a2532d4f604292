import type { Dial } from "../../src/agent/agent-deps.ts";
import type { Change } from "../../src/agent/wake.ts";
import type { RawReply, RawRequest } from "../../src/door/raw.ts";
import type { HttpSend } from "../../src/lib/aws-json-client.ts";
import { UnavailableError } from "../../src/lib/errors.ts";
import { HANDSHAKE_MS_MAX, HandshakeRefusedError } from "../../src/lib/websocket.ts";
import type { Link } from "./link.ts";
import { SocketEnd } from "./socket-end.ts";

/** The ECS agent's own, as in `lib/aws-json-client.ts`: how long an answer is waited for. */
const REPLY_MS_MAX = 42_000;

/** The door of a server process, as far as the network sees it. */
export interface Door {
  handle(raw: RawRequest): Promise<RawReply>;
  /** Takes the connection, or says why not. */
  upgrade(
    raw: RawRequest,
  ): Promise<
    | { readonly accept: (socket: SocketEnd) => void }
    | { readonly status: number; readonly body: string }
  >;
  /** Whoever waits for an answer then sees the connection break. */
  readonly death: Change;
}

/** How one process of a machine reaches the server. It ends with the process. */
export class Uplink {
  readonly #link: Link;
  readonly #door: () => Door | undefined;
  readonly #sockets = new Set<SocketEnd>();

  /** `door`: of the server process that listens now, if one does. */
  constructor(link: Link, door: () => Door | undefined) {
    this.#link = link;
    this.#door = door;
  }

  /** Carries one request, with what the link's conditions make of it. */
  readonly send: HttpSend = async ({ url, headers, body }, signal) => {
    const raw = rawRequest("POST", url, headers, Buffer.from(body));
    const { promise: answered, resolve, reject } = Promise.withResolvers<RawReply>();
    this.#exchange(raw).then(resolve, reject);
    const callOff = this.#link.clock.after(REPLY_MS_MAX, () =>
      reject(new Error(`no answer in ${REPLY_MS_MAX} ms`)),
    );
    try {
      const reply = await orAborted(answered, signal);
      return { status: reply.status, body: String(reply.body) };
    } finally {
      callOff();
    }
  };

  readonly dial: Dial = async (url, headers, signal) => {
    signal.throwIfAborted();
    const late = new AbortController();
    const callOff = this.#link.clock.after(HANDSHAKE_MS_MAX, () =>
      late.abort(new UnavailableError("Opening handshake has timed out")),
    );
    const over = AbortSignal.any([signal, late.signal]);
    try {
      return await orAborted(this.#connect(rawRequest("GET", new URL(url), headers), over), over);
    } finally {
      callOff();
    }
  };

  /** Open connections. */
  get sockets(): readonly SocketEnd[] {
    for (const socket of this.#sockets) if (socket.isOver) this.#sockets.delete(socket);
    return [...this.#sockets];
  }

  /** The process has died; its kernel lives. */
  kill(): void {
    for (const socket of this.#sockets) socket.kill();
  }

  /** The machine has lost its power. */
  vanish(): void {
    for (const socket of this.#sockets) socket.vanish();
  }

  async #exchange(raw: RawRequest): Promise<RawReply> {
    const { conditions, random } = this.#link;
    const isLost = random.chance(conditions.resetChance);
    const isReplyLost = isLost && random.chance(0.5);
    const isTwice = random.chance(conditions.duplicateChance);
    await this.#link.cross();
    if (isLost && !isReplyLost) throw new Error("read ECONNRESET");
    const door = this.#listening();
    const work = door.handle(raw);
    if (isTwice) void this.#link.cross().then(() => this.#door()?.handle(raw));
    const reply = await unlessDead(work, door.death);
    await this.#link.cross();
    if (isReplyLost) throw new Error("read ECONNRESET");
    return reply;
  }

  async #connect(raw: RawRequest, signal: AbortSignal): Promise<SocketEnd> {
    await this.#link.cross();
    const door = this.#listening();
    const decision = await unlessDead(door.upgrade(raw), door.death);
    if ("status" in decision) {
      await this.#link.cross();
      throw new HandshakeRefusedError(decision.status, decision.body);
    }
    const [near, far] = SocketEnd.pair(this.#link);
    this.#sockets.add(near);
    decision.accept(far);
    await near.opened;
    if (near.isOver) throw new UnavailableError("read ECONNRESET");
    // Whoever dialled has gone: nobody is left to take the connection.
    if (signal.aborted) near.kill();
    return near;
  }

  #listening(): Door {
    const door = this.#door();
    if (door === undefined) throw new UnavailableError("connect ECONNREFUSED");
    return door;
  }
}

/** What `work` brings, unless the process dies that does it. A promise of its death would keep all answers until then. */
async function unlessDead<T>(work: Promise<T>, death: Change): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const die = (): void => reject(new Error("read ECONNRESET"));
  if (death.hasHappened) die();
  death.subscribe(die);
  work.then(resolve, reject);
  try {
    return await promise;
  } finally {
    death.unsubscribe(die);
  }
}

/** What `work` brings, or the reason of `signal` as soon as it aborts. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function rawRequest(
  method: string,
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array = new Uint8Array(),
): RawRequest {
  return {
    method,
    target: url.pathname + url.search,
    headers: { ...headers, host: url.host },
    body,
    sourceIp: "10.0.0.1",
    signal: new AbortController().signal,
  };
}
