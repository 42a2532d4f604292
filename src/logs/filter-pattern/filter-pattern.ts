/**
 * The filter patterns of CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 * Pure. Matching takes time in proportion to the message, whatever the pattern.
 */
import { compileJsonPattern } from "./json-pattern.ts";
import { compileSpaceDelimited } from "./space-delimited.ts";
import { compileTerms } from "./terms.ts";

export interface FilterPattern {
  readonly matches: (message: string) => boolean;
  /** False only if no message that is a part of `text` matches: many messages in a row are ruled out at once. */
  readonly mayMatch: (text: string) => boolean;
  /** What a pattern for fields divided by spaces finds in a message that matches; empty for other patterns. */
  readonly extract: (message: string) => Readonly<Record<string, string>>;
}

const always = (): boolean => true;
const nothing = (): Readonly<Record<string, string>> => ({});

/** Reads a pattern; an empty one matches everything. Throws InvalidParameterException. */
export function parseFilterPattern(text: string): FilterPattern {
  const pattern = text.trim();
  if (pattern === "") return { matches: always, mayMatch: always, extract: nothing };
  if (pattern.startsWith("[")) return { ...compileSpaceDelimited(pattern), mayMatch: always };
  if (!pattern.startsWith("{")) return { ...compileTerms(pattern), extract: nothing };
  return { matches: compileJsonPattern(pattern), mayMatch: always, extract: nothing };
}
