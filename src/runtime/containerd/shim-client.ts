/**
 * A shim spoken to without containerd, as containerd speaks to it: ttrpc. A call is one frame each way, of a length, a
 * stream's number, a kind, flags, and the message; a client's streams have odd numbers.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { MethodDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { UnavailableError } from "../../lib/errors.ts";
import { ownFile } from "../../lib/own-files.ts";
import type { Process, ProcessExit } from "./messages.ts";

/** Where a shim listens and which version of its service it has; a bundle's `bootstrap.json` says both. */
export interface ShimAddress {
  readonly socketPath: string;
  readonly version: number;
}

export interface ShimClient {
  /** The first process of a container. Throws an Error when the shim has none of that name. */
  state(containerId: string): Promise<Pick<Process, "status" | "exitStatus" | "exitedAt">>;
  /** Resolves when that process has ended, at once if it has; rejects when the shim goes away first. */
  wait(containerId: string): Promise<ProcessExit>;
  close(): void;
}

const HEADER_BYTES = 10;
const KIND_REQUEST = 1;
const KIND_RESPONSE = 2;
/** ttrpc's own limit. */
const MESSAGE_BYTES_MAX = 4 << 20;

interface Answer {
  readonly status: { readonly code: number; readonly message: string } | null;
  readonly payload: Buffer;
}

type Method = Pick<MethodDefinition<unknown, unknown>, "requestSerialize" | "responseDeserialize">;

interface Methods {
  readonly call: Method;
  readonly state: Method;
  readonly wait: Method;
}

interface Waiter {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: Error) => void;
}

/** Makes clients. What they resolve to rejects when nobody listens at the address. */
export function createShimConnector(): (address: ShimAddress) => Promise<ShimClient> {
  const methods = loadMethods();
  return (address) => connectShim(methods, address);
}

async function connectShim(
  methods: Methods,
  { socketPath, version }: ShimAddress,
): Promise<ShimClient> {
  const socket = connect(socketPath);
  await once(socket, "connect");
  const waiting = new Map<number, Waiter>();
  let stream = -1;
  socket.on("error", () => undefined);
  socket.on("close", () => {
    for (const { reject } of waiting.values()) reject(new UnavailableError("the shim is gone"));
    waiting.clear();
  });
  onFrames(socket, (number, message) => {
    waiting.get(number)?.resolve(methods.call.responseDeserialize(message) as Answer);
    waiting.delete(number);
  });
  const call = async <T>(method: string, codec: Method, id: string): Promise<T> => {
    const payload = codec.requestSerialize({ id });
    const service = `containerd.task.v${version}.Task`;
    stream += 2;
    const number = stream;
    const answer = await new Promise<Answer>((resolve, reject) => {
      if (socket.destroyed) return reject(new UnavailableError("the shim is gone"));
      waiting.set(number, { resolve, reject });
      socket.write(frame(number, methods.call.requestSerialize({ service, method, payload })));
    });
    if (answer.status?.code) throw new Error(answer.status.message);
    return codec.responseDeserialize(answer.payload) as T;
  };
  return {
    state: (id) => call("State", methods.state, id),
    wait: (id) => call("Wait", methods.wait, id),
    close: () => socket.destroy(),
  };
}

function frame(stream: number, message: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(message.length, 0);
  header.writeUInt32BE(stream, 4);
  header.writeUInt8(KIND_REQUEST, 8);
  return Buffer.concat([header, message]);
}

/** Cuts what arrives into frames, and hands on the answers among them. */
function onFrames(socket: Socket, take: (stream: number, message: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + pending.readUInt32BE(0);
      if (end > HEADER_BYTES + MESSAGE_BYTES_MAX) socket.destroy();
      if (pending.length < end) return;
      const message = pending.subarray(HEADER_BYTES, end);
      if (pending.readUInt8(8) === KIND_RESPONSE) take(pending.readUInt32BE(4), message);
      pending = pending.subarray(end);
    }
  });
}

function loadMethods(): Methods {
  const definitions = loadSync("shim.proto", {
    includeDirs: [fileURLToPath(ownFile("runtime/containerd/proto/"))],
    longs: Number,
    enums: String,
    defaults: true,
  });
  const ttrpc = definitions["gantry.shim.Ttrpc"] as unknown as { readonly Call: Method };
  const task = definitions["gantry.shim.Task"] as unknown as Record<"State" | "Wait", Method>;
  return { call: ttrpc.Call, state: task.State, wait: task.Wait };
}
