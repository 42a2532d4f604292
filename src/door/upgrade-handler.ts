/** Websocket handshakes: path → route, signature and permission by the gateway, then the route's own decision. */
import type { Duplex } from "node:stream";
import type { WebSocketServer } from "ws";
import { http } from "../lib/builtins.ts";
import { ApiError } from "../lib/errors.ts";
import type { MessageSocket } from "../lib/message-socket.ts";
import type { Gateway } from "./gateway.ts";
import { WEBSOCKET_MESSAGE_BYTES_MAX } from "./limits.ts";
import { NodeRequest, type SentMessage } from "./node-request.ts";
import { splitTarget } from "./raw.ts";
import type { UpgradeRoute } from "./upgrade.ts";

interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** All websockets of one door. */
export class UpgradeHandler {
  readonly #gateway: Gateway;
  readonly #routes: ReadonlyMap<string, UpgradeRoute>;
  /** The protocol loads with the first handshake that is let in, so that a start need not wait for it. */
  #server: WebSocketServer | undefined;
  /** Node forgets a connection once it is upgraded, so they are kept here from the first byte to the last. */
  readonly #sockets = new Set<Duplex>();
  #isClosing = false;

  constructor(deps: { gateway: Gateway; upgrades: readonly UpgradeRoute[] }) {
    this.#gateway = deps.gateway;
    this.#routes = new Map(deps.upgrades.map((route) => [route.path, route]));
  }

  /** Answers one handshake: by opening a websocket, or in plain HTTP. */
  handle(request: SentMessage, socket: Duplex, head: Buffer): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // A lost connection shows in the websocket's close event; during the handshake there is nobody to tell.
    socket.on("error", () => socket.destroy());
    const raw = new NodeRequest(request, new Uint8Array());
    this.#decide(raw)
      .catch((error: unknown) => this.#gateway.reject(raw, error))
      .then((decision) => {
        if ("status" in decision) return refuse(socket, decision);
        return this.#open(request, socket, head, decision.accept);
      })
      .catch((error: unknown) => {
        this.#gateway.reject(raw, error);
        socket.destroy();
      });
  }

  /** Asks the peers to go. */
  close(): void {
    this.#isClosing = true;
    for (const client of this.#server?.clients ?? []) client.close(1001, "the server is closing");
  }

  /** Cuts what is left. */
  terminate(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #open(
    request: SentMessage,
    socket: Duplex,
    head: Buffer,
    accept: (opened: MessageSocket) => void,
  ): Promise<void> {
    const { createWebSocketServer, messageSocket } = await import("../lib/websocket.ts");
    if (this.#isClosing) {
      socket.destroy();
      return;
    }
    this.#server ??= createWebSocketServer(WEBSOCKET_MESSAGE_BYTES_MAX);
    this.#server.handleUpgrade(request, socket, head, (opened) => accept(messageSocket(opened)));
  }

  async #decide(
    raw: NodeRequest,
  ): Promise<Refusal | Extract<Awaited<ReturnType<UpgradeRoute["open"]>>, { accept: unknown }>> {
    const { path } = splitTarget(raw.target);
    const route = this.#routes.get(path);
    if (route === undefined) {
      throw new ApiError("NotFoundException", `No websocket at ${path}`, { status: 404 });
    }
    const outcome = await this.#gateway.upgrade(raw, route);
    if (!outcome.ok) return outcome.reply;
    const decision = await route.open(outcome.call);
    if ("accept" in decision) return decision;
    const headers = {
      "content-type": "application/json",
      "x-amzn-requestid": outcome.call.requestId,
    };
    return { ...decision.refuse, headers };
  }
}

function refuse(socket: Duplex, refusal: Refusal): void {
  const body = Buffer.from(refusal.body);
  const headers = {
    ...refusal.headers,
    "content-length": String(body.length),
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const status = `${refusal.status} ${http.STATUS_CODES[refusal.status] ?? ""}`;
  socket.write(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`);
  socket.end(body);
}
