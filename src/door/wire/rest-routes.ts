import { serialization } from "../errors.ts";
import type { OperationShape, ServiceShapes } from "../shape.ts";

/** An operation that a method and path lead to, and what stood in the path. */
export interface RestMatch {
  readonly shape: OperationShape;
  /** By member, decoded. */
  readonly labels: ReadonlyMap<string, string>;
}

interface Route {
  readonly method: string;
  readonly segments: readonly string[];
  readonly shape: OperationShape;
}

/** The paths of one REST service. */
export class RestRoutes {
  readonly #routes: readonly Route[];

  constructor(shapes: ServiceShapes) {
    this.#routes = shapes.operationNames().flatMap((name) => {
      const shape = shapes.operation(name);
      if (shape?.http === undefined) return [];
      const { method, path } = shape.http;
      return [{ method, segments: path.split("/"), shape }];
    });
  }

  /** `path` as sent. Throws `SerializationException` when a label is not percent-encoded UTF-8. */
  match(method: string, path: string): RestMatch | undefined {
    const segments = path.split("/");
    const found = this.#routes.find(
      (route) => route.method === method && isMatch(route.segments, segments),
    );
    if (found === undefined) return undefined;
    const labels = new Map<string, string>();
    for (const [at, pattern] of found.segments.entries()) {
      if (isLabel(pattern)) labels.set(pattern.slice(1, -1), decode(segments[at] ?? ""));
    }
    return { shape: found.shape, labels };
  }
}

function isMatch(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, at) => (isLabel(part) ? segments[at] !== "" : part === segments[at]))
  );
}

function isLabel(part: string): boolean {
  return part.startsWith("{");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw serialization("A part of the path is not percent-encoded UTF-8");
  }
}
