import type { MessageSocket } from "../../src/lib/message-socket.ts";
import type { Link } from "./link.ts";

/** ws: how long the answer to a close frame is waited for. */
const CLOSE_MS_MAX = 30_000;
const LOST = 1006;

type Packet =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  /** The answer to the handshake: what comes after it finds the listeners set. */
  | { readonly kind: "open" }
  /** TCP's own end of a connection. */
  | { readonly kind: "reset" };

/** One direction of a connection: packets arrive in order, each after its own latency, none while the link is cut. */
class Pipe {
  readonly #link: Link;
  readonly #deliver: (packet: Packet) => void;
  readonly #queue: { readonly packet: Packet; readonly dueAt: number }[] = [];
  #lastDueAt = 0;
  #isPumping = false;
  #isFrozen = false;

  constructor(link: Link, deliver: (packet: Packet) => void) {
    this.#link = link;
    this.#deliver = deliver;
  }

  /** From now on nothing arrives, and nobody is told. */
  freeze(): void {
    this.#isFrozen = true;
  }

  push(packet: Packet): void {
    if (this.#isFrozen) return;
    const dueAt = Math.max(this.#lastDueAt, this.#link.clock.now() + this.#link.latencyMs());
    this.#lastDueAt = dueAt;
    this.#queue.push({ packet, dueAt });
    if (!this.#isPumping) this.#pump();
  }

  #pump(): void {
    const [next] = this.#queue;
    this.#isPumping = next !== undefined;
    if (next === undefined) return;
    const { clock } = this.#link;
    clock.after(Math.max(0, next.dueAt - clock.now()), this.#arrive);
  }

  readonly #arrive = (): void => {
    if (this.#link.isCut) {
      this.#link.onMended(this.#arrive);
      return;
    }
    const next = this.#queue.shift();
    if (next !== undefined && !this.#isFrozen) this.#deliver(next.packet);
    this.#pump();
  };
}

/** One end of a simulated websocket, with the states of `ws` and of the TCP connection below it. */
export class SocketEnd implements MessageSocket {
  readonly bufferedBytes: number = 0;
  readonly #link: Link;
  #state: "open" | "closing" | "closed" | "gone" = "open";
  #out: Pipe | undefined;
  #in: Pipe | undefined;
  readonly #opened = Promise.withResolvers<void>();
  #onMessage: (text: string) => void = () => undefined;
  #onClose: (code: number, reason: string) => void = () => undefined;

  private constructor(link: Link) {
    this.#link = link;
  }

  /** Both ends of a new connection over `link`: of whoever dialled, and of whoever takes it now. */
  static pair(link: Link): readonly [near: SocketEnd, far: SocketEnd] {
    const [near, far] = [new SocketEnd(link), new SocketEnd(link)];
    near.#out = new Pipe(link, (packet) => far.#receive(packet));
    far.#out = new Pipe(link, (packet) => near.#receive(packet));
    [near.#in, far.#in] = [far.#out, near.#out];
    far.#out.push({ kind: "open" });
    return [near, far];
  }

  /** Resolves when whoever dialled has heard that the connection is taken, or lost. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get isOver(): boolean {
    return this.#state === "closed" || this.#state === "gone";
  }

  send(text: string): void {
    if (this.#state === "open") this.#out?.push({ kind: "text", text });
  }

  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#out?.push({ kind: "close", code, reason });
    void this.#link.clock.sleep(CLOSE_MS_MAX).then(() => this.#finish(LOST, ""));
  }

  onMessage(listener: (text: string) => void): void {
    this.#onMessage = listener;
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.#onClose = listener;
  }

  /** The process of this end has died: its kernel ends the connection. */
  kill(): void {
    if (this.isOver) return;
    this.#state = "gone";
    this.#out?.push({ kind: "reset" });
  }

  /** The machine of this end has lost its power: the other end hears nothing, until it sends and gets no answer. */
  vanish(): void {
    if (!this.isOver) this.#state = "gone";
  }

  /** The connection breaks, and both ends see it. */
  break(): void {
    if (this.isOver) return;
    this.#out?.push({ kind: "reset" });
    this.#finish(LOST, "");
  }

  /** Something on the way has forgotten the connection: both ends take it for open, and hear nothing. */
  freeze(): void {
    this.#in?.freeze();
    this.#out?.freeze();
  }

  #receive(packet: Packet): void {
    if (this.#state === "gone" && packet.kind !== "reset") this.#out?.push({ kind: "reset" });
    if (this.isOver) return;
    switch (packet.kind) {
      case "open":
        this.#opened.resolve();
        break;
      case "text":
        this.#onMessage(packet.text);
        break;
      case "close":
        if (this.#state === "open") this.#out?.push(packet);
        this.#finish(packet.code, packet.reason);
        break;
      case "reset":
        this.#finish(LOST, "");
        break;
    }
  }

  #finish(code: number, reason: string): void {
    if (this.isOver) return;
    this.#state = "closed";
    this.#opened.resolve();
    this.#onClose(code, reason);
  }
}
