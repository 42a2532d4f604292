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
  const channel = openChannel(options);
  const { client, settings } = channel;
  return {
    unary: <Request, Response>(method: string, request: Request, call: CallOptions = {}) =>
      outlastRestart(options, call, () => unary<Request, Response>(channel, method, request, call)),
    stream: <Request, Response>(method: string, request: Request, call: CallOptions = {}) => {
      const { path, requestSerialize, responseDeserialize } = channel.method(method);
      const stream: ClientReadableStream<Response> = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => Response,
        request,
        ...settings(call),
      );
      return stream;
    },
    dialogue: <Request, Response>(method: string, call: CallOptions = {}) => {
      const { path, requestSerialize, responseDeserialize } = channel.method(method);
      const duplex = client.makeBidiStreamRequest<unknown, unknown>(
        path,
        requestSerialize,
        responseDeserialize,
        ...settings(call),
      );
      return askOver<Request, Response>(duplex);
    },
    close: () => client.close(),
  };
}

interface Channel {
  readonly client: Client;
  /** How to call `Service.Method`. */
  method(name: string): Method;
  /** What goes with each call: headers and deadline. */
  settings(call: CallOptions): [Metadata, { deadline?: number }];
}

function openChannel({ clock, namespace, socketPath }: ConnectionOptions): Channel {
  const methods = loadMethods();
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
    "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
  });
  return {
    client,
    method: (name) => lookUp(methods, name),
    settings: ({ deadlineMs = DEADLINE_MS, lease }) => {
      const metadata = new Metadata({ waitForReady: true });
      metadata.set("containerd-namespace", namespace);
      if (lease !== undefined) metadata.set("containerd-lease", lease);
      return [metadata, deadlineMs === "none" ? {} : { deadline: clock.now() + deadlineMs }];
    },
  };
}

/** One attempt at a call that is answered once. */
function unary<Request, Response>(
  { client, method: methodOf, settings }: Channel,
  method: string,
  request: Request,
  call: CallOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = methodOf(method);
    const sent = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      ...settings(call),
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
}

/** Attempts until containerd is there. Throws UnavailableError when it stays away. */
async function outlastRestart<T>(
  { clock, socketPath }: ConnectionOptions,
  { once, signal }: CallOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  const giveUpAt = clock.now() + RETRY_MS_MAX;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isCode(error, Status.UNAVAILABLE) || once) throw error;
      if (clock.now() >= giveUpAt) {
        const message = `containerd at ${socketPath} does not answer`;
        throw new UnavailableError(message, { cause: error });
      }
      await clock.sleep(RETRY_PAUSE_MS, signal);
    }
  }
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
