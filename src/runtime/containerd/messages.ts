/** The messages of proto/*.proto as they look in TypeScript (proto-loader: camelCase, int64 as number, bytes as Buffer). */

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface Mount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly options: readonly string[];
}

export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

/**
 * Unlike protobuf's own, containerd's type URLs have no `type.googleapis.com/` in front. The one message whose members
 * protobufjs brings along, and leaves as they are spelled.
 */
export interface Any {
  readonly type_url: string;
  readonly value: Uint8Array;
}

export interface Process {
  readonly containerId: string;
  readonly id: string;
  readonly pid: number;
  readonly status: "UNKNOWN" | "CREATED" | "RUNNING" | "STOPPED" | "PAUSED" | "PAUSING";
  readonly exitStatus: number;
  readonly exitedAt: Timestamp | null;
}

export interface ProcessExit {
  readonly exitStatus: number;
  readonly exitedAt: Timestamp | null;
}

export interface Container {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly image: string;
  readonly runtime: { readonly name: string; readonly options?: Any };
  readonly spec: Any;
  readonly snapshotter: string;
  readonly snapshotKey: string;
}

export interface ImageRecord {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: Descriptor;
  readonly createdAt: Timestamp | null;
  readonly updatedAt: Timestamp | null;
}

export interface WriteContentRequest {
  readonly action: "STAT" | "WRITE" | "COMMIT";
  readonly ref: string;
  readonly total: number;
  readonly expected: string;
  readonly offset: number;
  readonly data?: Uint8Array;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface WriteContentResponse {
  readonly offset: number;
  readonly digest: string;
}

/** Epoch milliseconds; 0 when the field is absent. */
export function toEpochMs(time: Timestamp | null): number {
  return time === null ? 0 : time.seconds * 1000 + Math.floor(time.nanos / 1_000_000);
}
