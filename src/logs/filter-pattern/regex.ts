import { LinearRegex } from "../../lib/linear-regex.ts";
import { RegexSyntaxError } from "../../lib/regex-syntax.ts";
import { invalidPattern, invalidTerm } from "./pattern-error.ts";

/** No groups: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html */
const ALLOWED = /^[A-Za-z0-9:_#=@/;,\-^$?[\]{}|\\*+.]+$/;

/** Reads what stands between the percent signs. Throws InvalidParameterException. */
export function compileRegex(source: string): LinearRegex {
  if (!ALLOWED.test(source)) throw invalidTerm(`%${source}%`);
  try {
    return new LinearRegex(source);
  } catch (error) {
    throw error instanceof RegexSyntaxError ? invalidPattern(error.message) : error;
  }
}
