import { compilePattern, matchesPattern, type Pattern, type PatternPart } from "./wildcard.ts";

/** `arn:partition:service:region:account:resource`; the resource may contain colons. */
const SEGMENTS = 6;

/**
 * What `ArnLike` and `ArnEquals` compare by (they are the same): each of the six segments for itself, so that a `*`
 * never reaches over a colon into the next one. (`Resource` elements are different: there `*` covers anything.)
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
 */
export interface ArnPattern {
  readonly segments: readonly Pattern[];
}

export function compileArnPattern(parts: readonly PatternPart[]): ArnPattern {
  const segments: PatternPart[][] = [[]];
  for (const part of parts) {
    if ("wildcard" in part) {
      segments.at(-1)?.push(part);
      continue;
    }
    const [first = "", ...others] = splitArn(part.literal, SEGMENTS - segments.length + 1);
    segments.at(-1)?.push({ literal: first });
    for (const literal of others) segments.push([{ literal }]);
  }
  return { segments: segments.map(compilePattern) };
}

export function matchesArnPattern({ segments }: ArnPattern, arn: string): boolean {
  const values = splitArn(arn, SEGMENTS);
  if (segments.length === 1) return segments[0] !== undefined && matchesPattern(segments[0], arn);
  return (
    values.length === segments.length &&
    segments.every((segment, index) => matchesPattern(segment, values[index] ?? ""))
  );
}

/** Splits at colons into at most `limit` segments; the last keeps its colons. */
function splitArn(text: string, limit: number): readonly string[] {
  const segments = text.split(":");
  return segments.length <= limit
    ? segments
    : [...segments.slice(0, limit - 1), segments.slice(limit - 1).join(":")];
}
