/** The W3C forms of ISO 8601: a year, month or day, or a moment with its zone. https://www.w3.org/TR/NOTE-datetime */
const W3C_DATE =
  /^(\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?)?)?)(Z|[-+]\d{2}(?::?\d{2})?)?$/i;

/**
 * Reads a date of a policy or a request: ISO 8601 (without a zone it is UTC), or seconds since the epoch. In
 * milliseconds; undefined for anything else.
 */
export function readDate(text: string): number | undefined {
  // Four digits are a year, W3C's shortest form: nobody means 1970-01-01T00:33:40Z by "2020".
  if (/^-?\d{1,15}$/.test(text) && !/^\d{4}$/.test(text)) return Number(text) * 1_000;
  const [, moment, zone = "Z"] = W3C_DATE.exec(text.toUpperCase()) ?? [];
  if (moment === undefined) return undefined;
  const at = Date.parse(moment.includes("T") ? moment + formatZone(zone) : moment);
  return Number.isNaN(at) ? undefined : at;
}

/** `+01` and `+0100` are as good as `+01:00`, but not to Date.parse. */
function formatZone(zone: string): string {
  return zone === "Z" ? zone : `${zone.slice(0, 3)}:${zone.slice(3).replace(":", "") || "00"}`;
}
