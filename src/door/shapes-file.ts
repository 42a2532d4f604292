/** The form of `shapes/<service>.json`, written by `scripts/generate-shapes.ts` and read by `shape.ts`. */

/**
 * Bits: httpLabel 1, idempotent 2, idempotencyToken 4, sensitive 8, httpPayload 16. As an object: the traits that carry a value. Source: `StaticSchema` of `@smithy/types`.
 */
export type Traits = number | Readonly<Record<string, unknown>>;

/**
 * What a member, item, key or value is. A number is one of {@link SENTINEL}, plus 64 for a list or 128 for a map of
 * it; a string names a shape, with `[]` behind it for a list of it, or is `Unit`; a pair adds the member's own traits.
 */
export type Ref = number | string | readonly [Ref, Traits];

export const SENTINEL = {
  string: 0,
  integer: 1,
  boolean: 2,
  /** A number that may have a fraction: ours, the SDK's packages have one kind for both. */
  fractional: 3,
  /** In the protocol's own format: no service here asks for another. */
  timestamp: 4,
  document: 15,
  blob: 21,
  listOf: 64,
  mapOf: 128,
} as const;

export type ShapeTuple =
  | readonly [kind: 0, traits: Traits, sentinel: number]
  | readonly [kind: 1, traits: Traits, item: Ref]
  | readonly [kind: 2, traits: Traits, key: Ref, value: Ref]
  /** 3 structure, 4 union, -3 exception. The required members come first. */
  | readonly [
      kind: 3 | 4 | -3,
      traits: Traits,
      members: readonly (readonly [name: string, ref: Ref])[],
      requiredCount: number,
    ]
  | readonly [kind: "enum", traits: Traits, values: readonly string[]];

export interface ShapesFile {
  /** The package and version it was taken from. */
  readonly source: string;
  /** `awsJson1_1`, `awsQuery`, … */
  readonly protocol: string;
  /** What stands before the dot in `X-Amz-Target`. */
  readonly target: string;
  /** API version: `2014-11-13`. */
  readonly version: string;
  /** What stands before `#` in the error types of awsJson 1.0 and CBOR: `com.amazonaws.ecs`. */
  readonly namespace: string;
  /** Of the replies of the query protocols. */
  readonly xmlNamespace?: string;
  /** Operations that AWS has and whose shapes are not kept. */
  readonly nameOnly?: readonly string[];
  readonly operations: Readonly<Record<string, readonly [traits: Traits, input: Ref, output: Ref]>>;
  readonly shapes: Readonly<Record<string, ShapeTuple>>;
}
