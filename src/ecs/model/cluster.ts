import type { Scope } from "./keys.ts";

/** A cluster as it is stored. */
export interface Cluster extends Scope {
  readonly name: string;
  readonly status: "ACTIVE" | "INACTIVE";
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  readonly tags: readonly Tag[];
  /** As given; nothing here reads it yet but Describe. */
  readonly configuration?: unknown;
  readonly createdAt: number;
}

export interface Tag {
  readonly key: string;
  readonly value: string;
}
