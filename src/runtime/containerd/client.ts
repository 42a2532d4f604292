/** containerd's services as typed calls; each is one request of proto/*.proto, with what Gantry leaves constant filled in. */
import {
  type CallOptions,
  type Connection,
  type ConnectionOptions,
  connect,
} from "./connection.ts";
import type {
  Any,
  Container,
  Descriptor,
  ImageRecord,
  Mount,
  Process,
  ProcessExit,
  WriteContentRequest,
  WriteContentResponse,
} from "./messages.ts";
import { Status, tolerating } from "./status.ts";

/** The one snapshotter that every kernel Gantry runs on has. */
export const SNAPSHOTTER = "overlayfs";
type Labels = Readonly<Record<string, string>>;

export interface Containerd {
  version(options?: CallOptions): Promise<string>;
  createNamespace(name: string): Promise<void>;
  readonly leases: {
    create(id: string, labels: Labels): Promise<void>;
    /** `sync`: what nothing else keeps is gone on return, and not only soon. An unknown id is a success. */
    delete(id: string, options: { readonly sync: boolean }): Promise<void>;
    list(): Promise<readonly { readonly id: string; readonly labels: Labels }[]>;
    /** Makes the lease keep a snapshot that is here already. NOT_FOUND when it is not. */
    addSnapshot(id: string, name: string): Promise<void>;
  };
  readonly content: {
    exists(digest: string): Promise<boolean>;
    /** Throws NOT_FOUND, and RangeError above `bytesMax`. */
    read(digest: string, bytesMax: number): Promise<Buffer>;
    /**
     * Stores a blob under `lease`; one that is there already is a success, and is then kept by the lease as well.
     * FAILED_PRECONDITION: its digest is another.
     */
    write(blob: BlobUpload, lease: string): Promise<void>;
  };
  readonly images: {
    get(name: string): Promise<ImageRecord | undefined>;
    /** Every name that points at this manifest. */
    listByDigest(digest: string): Promise<readonly ImageRecord[]>;
    list(): Promise<readonly ImageRecord[]>;
    /** Creates or repoints a name. */
    put(image: Omit<ImageRecord, "createdAt" | "updatedAt">, lease: string): Promise<void>;
    /** On return what nothing else keeps is gone. An unknown name is a success. */
    delete(name: string): Promise<void>;
  };
  readonly snapshots: {
    has(name: string): Promise<boolean>;
    /** Makes an active snapshot over `parent` ("" for none). ALREADY_EXISTS when `key` does. */
    prepare(
      key: string,
      parent: string,
      labels: Labels,
      options?: CallOptions,
    ): Promise<readonly Mount[]>;
    mounts(key: string): Promise<readonly Mount[]>;
    commit(name: string, key: string, options?: CallOptions): Promise<void>;
    /** An unknown key is a success. */
    remove(key: string): Promise<void>;
    list(): Promise<readonly { name: string; parent: string }[]>;
  };
  /** Unpacks a layer onto mounts; resolves with its diff id. */
  applyDiff(layer: Descriptor, mounts: readonly Mount[], lease: string): Promise<string>;
  readonly containers: {
    get(id: string): Promise<Container | undefined>;
    list(): Promise<readonly Container[]>;
    create(container: Container): Promise<void>;
    /** An unknown id is a success. */
    delete(id: string): Promise<void>;
  };
  readonly tasks: {
    /** Returns the process id as this machine sees it. */
    create(request: CreateTask): Promise<number>;
    /** Adds a process to a running container; the calls below that take an `execId` then mean it. */
    exec(request: ExecProcess): Promise<void>;
    /** Returns the process id as this machine sees it. */
    start(containerId: string, execId?: string): Promise<number>;
    get(containerId: string, execId?: string): Promise<Process | undefined>;
    list(): Promise<readonly Process[]>;
    kill(containerId: string, signal: number, all: boolean, execId?: string): Promise<void>;
    /** Resolves when the process has exited. UNAVAILABLE when containerd goes away meanwhile. */
    wait(containerId: string, options: CallOptions, execId?: string): Promise<ProcessExit>;
    /** Deletes an exited process, after the shim has written the last of its output. */
    delete(containerId: string, execId?: string): Promise<void>;
  };
  close(): void;
}

export interface BlobUpload {
  readonly digest: string;
  readonly size: number;
  readonly labels: Labels;
  /** Opened only when the blob is not there yet. */
  readonly open: () => AsyncIterable<Uint8Array>;
}

export interface CreateTask {
  readonly containerId: string;
  readonly rootfs: readonly Mount[];
  readonly stdin?: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly terminal: boolean;
}

export interface ExecProcess {
  readonly containerId: string;
  readonly execId: string;
  readonly stdout: string;
  readonly stderr: string;
  /** The process of the OCI runtime specification. */
  readonly spec: Any;
}

/** A layer of many GiB on a slow disk. */
const UNPACK_DEADLINE_MS = 30 * 60_000;
/** ECS agent: its image pull timeout. */
const UPLOAD_DEADLINE_MS = 2 * 60 * 60_000;
/** Removing the snapshots of large images. */
const COLLECT_DEADLINE_MS = 10 * 60_000;

/** A client of the containerd at `options.socketPath`; connects with the first call. */
export function createContainerdClient(options: ConnectionOptions): Containerd {
  const connection = connect(options);
  const { unary } = connection;
  return {
    version: async (call) =>
      (await unary<object, { version: string }>("Version.Version", {}, call)).version,
    createNamespace: async (name) => {
      await tolerating(
        [Status.ALREADY_EXISTS],
        unary("Namespaces.Create", { namespace: { name } }),
      );
    },
    leases: {
      create: async (id, labels) => {
        await unary("Leases.Create", { id, labels });
      },
      delete: async (id, { sync }) => {
        await tolerating(
          [Status.NOT_FOUND],
          unary("Leases.Delete", { id, sync }, { deadlineMs: COLLECT_DEADLINE_MS }),
        );
      },
      list: async () =>
        (await unary<object, { leases: { id: string; labels: Labels }[] }>("Leases.List", {}))
          .leases,
      addSnapshot: async (id, name) => {
        const resource = { id: name, type: `snapshots/${SNAPSHOTTER}` };
        await unary("Leases.AddResource", { id, resource });
      },
    },
    content: contentCalls(connection),
    images: imageCalls(connection),
    snapshots: snapshotCalls(connection),
    applyDiff: async (diff, mounts, lease) =>
      (
        await unary<object, { applied: Descriptor }>(
          "Diff.Apply",
          { diff, mounts },
          { lease, deadlineMs: UNPACK_DEADLINE_MS },
        )
      ).applied.digest,
    containers: {
      get: async (id) => {
        const call = unary<object, { container: Container }>("Containers.Get", { id });
        return (await tolerating([Status.NOT_FOUND], call))?.container;
      },
      list: async () =>
        (await unary<object, { containers: Container[] }>("Containers.List", {})).containers,
      create: async (container) => {
        await unary("Containers.Create", { container });
      },
      delete: async (id) => {
        await tolerating([Status.NOT_FOUND], unary("Containers.Delete", { id }));
      },
    },
    tasks: taskCalls(connection),
    close: () => connection.close(),
  };
}

function imageCalls({ unary }: Connection): Containerd["images"] {
  return {
    get: async (name) => {
      const found = tolerating(
        [Status.NOT_FOUND],
        unary<object, { image: ImageRecord }>("Images.Get", { name }),
      );
      return (await found)?.image;
    },
    listByDigest: async (digest) =>
      (
        await unary<object, { images: ImageRecord[] }>("Images.List", {
          filters: [`target.digest==${JSON.stringify(digest)}`],
        })
      ).images,
    list: async () => (await unary<object, { images: ImageRecord[] }>("Images.List", {})).images,
    delete: async (name) => {
      const call = unary(
        "Images.Delete",
        { name, sync: true },
        { deadlineMs: COLLECT_DEADLINE_MS },
      );
      await tolerating([Status.NOT_FOUND], call);
    },
    put: async (image, lease) => {
      const created = await tolerating(
        [Status.ALREADY_EXISTS],
        unary("Images.Create", { image }, { lease }),
      );
      if (created === undefined) await unary("Images.Update", { image }, { lease });
    },
  };
}

function snapshotCalls({ unary, stream }: Connection): Containerd["snapshots"] {
  const snapshotter = SNAPSHOTTER;
  return {
    has: async (key) => {
      const call = unary("Snapshots.Stat", { snapshotter, key });
      return (await tolerating([Status.NOT_FOUND], call)) !== undefined;
    },
    prepare: async (key, parent, labels, call) =>
      (
        await unary<object, { mounts: Mount[] }>(
          "Snapshots.Prepare",
          { snapshotter, key, parent, labels },
          call,
        )
      ).mounts,
    mounts: async (key) =>
      (await unary<object, { mounts: Mount[] }>("Snapshots.Mounts", { snapshotter, key })).mounts,
    commit: async (name, key, call) => {
      await unary("Snapshots.Commit", { snapshotter, name, key, labels: {} }, call);
    },
    remove: async (key) => {
      await tolerating([Status.NOT_FOUND], unary("Snapshots.Remove", { snapshotter, key }));
    },
    list: async () => {
      const all: { name: string; parent: string }[] = [];
      const parts = stream<object, { info: { name: string; parent: string }[] }>("Snapshots.List", {
        snapshotter,
      });
      for await (const part of parts) all.push(...part.info);
      return all;
    },
  };
}

function taskCalls({ unary }: Connection): Containerd["tasks"] {
  return {
    create: async (request) => (await unary<object, { pid: number }>("Tasks.Create", request)).pid,
    exec: async (request) => {
      await unary("Tasks.Exec", request);
    },
    start: async (containerId, execId) =>
      (await unary<object, { pid: number }>("Tasks.Start", { containerId, execId })).pid,
    get: async (containerId, execId) => {
      const call = unary<object, { process: Process }>("Tasks.Get", { containerId, execId });
      return (await tolerating([Status.NOT_FOUND], call))?.process;
    },
    list: async () => (await unary<object, { tasks: Process[] }>("Tasks.List", {})).tasks,
    kill: async (containerId, signal, all, execId) => {
      await unary("Tasks.Kill", { containerId, execId, signal, all });
    },
    wait: (containerId, options, execId) =>
      unary("Tasks.Wait", { containerId, execId }, { deadlineMs: "none", once: true, ...options }),
    delete: async (containerId, execId) => {
      const method = execId === undefined ? "Tasks.Delete" : "Tasks.DeleteProcess";
      await unary(method, { containerId, execId });
    },
  };
}

function contentCalls({ unary, stream, dialogue }: Connection): Containerd["content"] {
  const exists = async (digest: string): Promise<boolean> =>
    (await tolerating([Status.NOT_FOUND], unary("Content.Info", { digest }))) !== undefined;
  return {
    exists,
    read: async (digest, bytesMax) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const { data } of stream<object, { data: Buffer }>("Content.Read", { digest })) {
        bytes += data.length;
        if (bytes > bytesMax) throw new RangeError(`${digest} is larger than ${bytesMax} bytes`);
        chunks.push(data);
      }
      return Buffer.concat(chunks);
    },
    write: async (blob, lease) => {
      // The upload's ref carries the lease, so that two loads of one blob do not lock each other out.
      const head = { ref: `${lease}/${blob.digest}`, total: blob.size, expected: blob.digest };
      const upload = dialogue<WriteContentRequest, WriteContentResponse>("Content.Write", {
        lease,
        deadlineMs: UPLOAD_DEADLINE_MS,
      });
      const send = async (): Promise<void> => {
        await upload.ask({ ...head, action: "STAT", offset: 0 });
        let offset = 0;
        for await (const data of blob.open()) {
          await upload.ask({ ...head, action: "WRITE", offset, data });
          offset += data.length;
        }
        await upload.ask({ ...head, action: "COMMIT", offset, labels: blob.labels });
      };
      try {
        await tolerating([Status.ALREADY_EXISTS], send());
      } catch (error) {
        upload.cancel();
        await tolerating(
          [Status.NOT_FOUND, Status.UNAVAILABLE],
          unary("Content.Abort", { ref: head.ref }, { once: true }),
        );
        throw error;
      } finally {
        upload.end();
      }
    },
  };
}
