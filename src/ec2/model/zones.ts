/** AWS: the words of a region's direction, in its zone ids. The longest first. */
const DIRECTIONS: readonly (readonly [name: string, initials: string])[] = [
  ["northeast", "ne"],
  ["northwest", "nw"],
  ["southeast", "se"],
  ["southwest", "sw"],
  ["central", "c"],
  ["north", "n"],
  ["south", "s"],
  ["east", "e"],
  ["west", "w"],
];

/** AWS's form of a zone's id: `use1-az1` for `us-east-1a`. In AWS the numbers differ between accounts, here they do not. */
export function zoneIdOf(zone: string): string {
  const [, region = zone, letter = "a"] = /^(.+\d)([a-z])$/.exec(zone) ?? [];
  const [area = "", ...rest] = region.split("-");
  const number = rest.pop() ?? "";
  const initials = rest.map((word) => DIRECTIONS.find(([name]) => name === word)?.[1] ?? word);
  return `${area}${initials.join("")}${number}-az${letter.charCodeAt(0) - "a".charCodeAt(0) + 1}`;
}
