import { createHash } from "node:crypto";
import { attributeOf } from "../model/instance.ts";
import { isAboutKind, KIND_FILTERS } from "./filters.ts";
import type { Candidate, PlacementRequest } from "./snapshot.ts";

/** Chosen: answers remembered. A cluster has about as many as it has task definitions and constraints in use. */
const MASKS_MAX = 256;
/** Chosen: attributes whose values are remembered. */
const ATTRIBUTES_MAX = 16;

/**
 * The kinds of candidates there are: what their status, connection and attributes say is the same for all of one kind. Ten
 * thousand machines come in a dozen kinds, so that a request is put to each kind once and not to each machine.
 */
export class Kinds {
  readonly #ids = new Map<string, number>();
  /** By id: any candidate of the kind. */
  readonly #examples: Candidate[] = [];
  /** By what a request asks of kinds: 1 for those that will do. In order of use. */
  readonly #masks = new Map<string, Mask>();
  /** By attribute, by kind. */
  readonly #values = new Map<string, (string | undefined)[]>();

  get count(): number {
    return this.#examples.length;
  }

  idOf(candidate: Candidate): number {
    const { instance, unconfirmedCount } = candidate;
    const { status, agentConnected, attributes } = instance;
    const text = JSON.stringify([status, agentConnected, unconfirmedCount > 0, attributes]);
    const key = createHash("sha256").update(text).digest("base64");
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    this.#ids.set(key, this.#examples.length);
    return this.#examples.push(candidate) - 1;
  }

  /** The value of an attribute that all of a kind have; candidates without it have the empty one. */
  valueOf(kind: number, attribute: string): string {
    let values = this.#values.get(attribute);
    if (values === undefined) {
      if (this.#values.size >= ATTRIBUTES_MAX) {
        this.#values.delete(this.#values.keys().next().value ?? "");
      }
      values = [];
      this.#values.set(attribute, values);
    }
    let value = values[kind];
    if (value === undefined) {
      const example = this.#examples[kind];
      value = (example && attributeOf(example.instance, attribute)) ?? "";
      values[kind] = value;
    }
    return value;
  }

  /** By id: 1 for the kinds that pass all filters which are about kinds. */
  maskFor(request: PlacementRequest): Mask {
    const key = signatureOf(request);
    const known = this.#masks.get(key);
    this.#masks.delete(key);
    const mask = known?.length === this.count ? known : this.#newMask(request);
    this.#masks.set(key, mask);
    if (this.#masks.size > MASKS_MAX) this.#masks.delete(this.#masks.keys().next().value ?? "");
    return mask;
  }

  #newMask(request: PlacementRequest): Mask {
    const asked = {
      ...request,
      constraints: request.constraints.filter(
        (constraint) => constraint.type === "memberOf" && isAboutKind(constraint.expression),
      ),
    };
    return Uint8Array.from(this.#examples, (example) =>
      KIND_FILTERS.every((filter) => filter.check(example, asked)) ? 1 : 0,
    );
  }
}

export type Mask = Uint8Array;

/** All of a request that the answers of kinds depend on. */
function signatureOf({ attributes, subnets, constraints }: PlacementRequest): string {
  return JSON.stringify([
    attributes,
    subnets?.map(({ availabilityZone }) => availabilityZone),
    constraints.flatMap((constraint) =>
      constraint.type === "memberOf" && isAboutKind(constraint.expression)
        ? [constraint.expression]
        : [],
    ),
  ]);
}
