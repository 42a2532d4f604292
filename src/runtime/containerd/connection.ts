/**
 * One gRPC channel to containerd's socket. containerd may be restarted under us at any time (its containers live on):
 * calls wait for the socket to come back, and are sent again when the connection breaks under them. Every call of
 * Gantry's is safe to repeat; who makes it treats ALREADY_EXISTS and NOT_FOUND as the success they then are.
 */
import { fileURLToPath } from "node:url";
import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type MethodDefinition,
  status as Status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { Clock } from "../../lib/clock.ts";
import { InvariantError, UnavailableError } from "../../lib/errors.ts";
import { ownFile } from "../../lib/own-files.ts";
import { isCode } from "./status.ts";

export interface ConnectionOptions {
  readonly socketPath: string;
  /** containerd's namespace: what one namespace holds, another does not see. */
  readonly namespace: string;
  readonly clock: Clock;
}

export interface CallOptions {
  /** The lease that what this call makes belongs to. */
  readonly lease?: string;
  /** Ends the call early; it then rejects with CANCELLED. */
  readonly signal?: AbortSignal;
  /** For calls that last as long as a container or a layer. Milliseconds, or none. */
  readonly deadlineMs?: number | "none";
  /** Leaves a broken connection to the caller instead of sending the call again. */
  readonly once?: boolean;
}

/** Methods are named `Service.Method` as in proto/*.proto; messages.ts has their types. */
export interface Connection {
  /** Throws gRPC's ServiceError; UnavailableError when containerd stays away. */
  unary<Request, Response>(
    method: string,
    request: Request,
    options?: CallOptions,
  ): Promise<Response>;
  /** Calls a method that answers with a stream. */
  stream<Request, Response>(
    method: string,
    request: Request,
    options?: CallOptions,
  ): AsyncIterable<Response>;
  /** A stream both ways on which each message is answered by one. */
  dialogue<Request, Response>(method: string, options?: CallOptions): Dialogue<Request, Response>;
  close(): void;
}

export interface Dialogue<Request, Response> {
  /** Sends one message and resolves with its answer. Not to be called before the former is answered. */
  ask(request: Request): Promise<Response>;
  /** Tells the server that no more follows. */
  end(): void;
  /** Breaks off: the server forgets what it was told. */
  cancel(): void;
}

const DEADLINE_MS = 120_000;
/** A killed containerd is back in well under a second; a machine under load may take some more. */
const RETRY_MS_MAX = 20_000;
const RETRY_PAUSE_MS = 100;
/** Above the 1 MiB chunks of blobs and the largest list of containers with their specs. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
const PROTO_FILES = [
  "version",
  "namespaces",
  "content",
  "images",
  "snapshots",
  "diff",
  "leases",
  "containers",
  "tasks",
];

/** Opens a channel (lazily: the first call connects). */
export function connect(options: ConnectionOptions): Connection {
  const methods = loadMethods();
  const client = new Client(`unix:${options.socketPath}`, credentials.createInsecure(), {
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
    "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
  });

  const headers = (call: CallOptions): Metadata => {
    const metadata = new Metadata({ waitForReady: true });
    metadata.set("containerd-namespace", options.namespace);
    if (call.lease !== undefined) metadata.set("containerd-lease", call.lease);
    return metadata;
  };
  const deadline = (call: CallOptions): { deadline: number } | Record<string, never> =>
    call.deadlineMs === "none"
      ? {}
      : { deadline: options.clock.now() + (call.deadlineMs ?? DEADLINE_MS) };

  const unaryOnce = <Request, Response>(
    method: string,
    request: Request,
    call: CallOptions,
  ): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = lookUp(methods, method);
      const sent = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        headers(call),
        deadline(call),
        (error, response) => {
          call.signal?.removeEventListener("abort", cancel);
          if (error) reject(error);
          else resolve(response as Response);
        },
      );
      const cancel = (): void => sent.cancel();
      if (call.signal?.aborted) cancel();
      call.signal?.addEventListener("abort", cancel, { once: true });
    });

  return {
    unary: async <Request, Response>(method: string, request: Request, call: CallOptions = {}) => {
      const giveUpAt = options.clock.now() + RETRY_MS_MAX;
      for (;;) {
        try {
          return await unaryOnce<Request, Response>(method, request, call);
        } catch (error) {
          if (!isCode(error, Status.UNAVAILABLE) || call.once) throw error;
          if (options.clock.now() >= giveUpAt) {
            throw new UnavailableError(`containerd at ${options.socketPath} does not answer`, {
              cause: error,
            });
          }
          await options.clock.sleep(RETRY_PAUSE_MS, call.signal);
        }
      }
    },
    stream: <Request, Response>(method: string, request: Request, call: CallOptions = {}) => {
      const { path, requestSerialize, responseDeserialize } = lookUp(methods, method);
      const stream: ClientReadableStream<Response> = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => Response,
        request,
        headers(call),
        deadline(call),
      );
      return stream;
    },
    dialogue: <Request, Response>(method: string, call: CallOptions = {}) => {
      const { path, requestSerialize, responseDeserialize } = lookUp(methods, method);
      const duplex = client.makeBidiStreamRequest<unknown, unknown>(
        path,
        requestSerialize,
        responseDeserialize,
        headers(call),
        deadline(call),
      );
      return askOver<Request, Response>(duplex);
    },
    close: () => client.close(),
  };
}

type Method = MethodDefinition<unknown, unknown>;

/** `Tasks.Create` → how to call it. */
function loadMethods(): ReadonlyMap<string, Method> {
  const directory = fileURLToPath(ownFile("runtime/containerd/proto/"));
  const definitions = loadSync(
    PROTO_FILES.map((name) => `${name}.proto`),
    { includeDirs: [directory], longs: Number, enums: String, defaults: true },
  );
  const methods = new Map<string, Method>();
  for (const [fullName, definition] of Object.entries(definitions)) {
    if ("format" in definition) continue;
    const service = fullName.slice(fullName.lastIndexOf(".") + 1);
    for (const [name, method] of Object.entries(definition)) {
      methods.set(`${service}.${name}`, method as Method);
    }
  }
  return methods;
}

function lookUp(methods: ReadonlyMap<string, Method>, name: string): Method {
  const method = methods.get(name);
  if (method === undefined) throw new InvariantError(`no method ${name} in the proto files`);
  return method;
}

function askOver<Request, Response>(
  duplex: ReturnType<Client["makeBidiStreamRequest"]>,
): Dialogue<Request, Response> {
  // Every failure reaches the asker through the iterator; one after the last answer concerns nobody.
  duplex.on("error", () => undefined);
  const answers = duplex[Symbol.asyncIterator]() as AsyncIterator<Response>;
  return {
    ask: async (request) => {
      duplex.write(request);
      const answer = await answers.next();
      if (answer.done) throw new InvariantError("containerd ended a stream without an answer");
      return answer.value;
    },
    end: () => duplex.end(),
    cancel: () => duplex.cancel(),
  };
}
