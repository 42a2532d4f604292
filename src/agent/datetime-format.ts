/**
 * `awslogs-datetime-format`: how a line begins that begins an event, in the codes of strftime that Docker's driver knows. What is
 * not a code is a regular expression, as there.
 */

const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June", "July", "August"],
  ...["September", "October", "November", "December"],
];

const CODES: Readonly<Record<string, string>> = {
  a: anyOf(WEEKDAYS.map((name) => name.slice(0, 3))),
  A: anyOf(WEEKDAYS),
  w: "[0-6]",
  d: "(?:0[1-9]|[12][0-9]|3[01])",
  b: anyOf(MONTHS.map((name) => name.slice(0, 3))),
  B: anyOf(MONTHS),
  m: "(?:0[1-9]|1[0-2])",
  Y: "[0-9]{4}",
  y: "[0-9]{2}",
  H: "(?:[01][0-9]|2[0-3])",
  I: "(?:0[1-9]|1[0-2])",
  p: "[AP]M",
  M: "[0-5][0-9]",
  S: "(?:[0-5][0-9]|60)",
  L: "\\.[0-9]{3}",
  f: "[0-9]{6}",
  z: "[+-][0-9]{4}",
  Z: "[A-Z]{1,4}T",
  j: "(?:00[1-9]|0[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-6])",
  "%": "%",
};

/** The regular expression for a format, or what is wrong with it. */
export function datetimePattern(format: string): string | { readonly error: string } {
  const unknown = [...format.matchAll(/%(.?)/gs)].find(
    ([, code = ""]) => !Object.hasOwn(CODES, code),
  );
  if (unknown !== undefined) return { error: `${unknown[0]} in ${format} is not a known code` };
  return format.replace(/%(.)/g, (_, code: string) => CODES[code] ?? "");
}

function anyOf(names: readonly string[]): string {
  return `(?:${names.join("|")})`;
}
