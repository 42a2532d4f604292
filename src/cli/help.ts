import { SETTINGS } from "../config.ts";

const COMMANDS: readonly (readonly [string, string])[] = [
  ["up", "bring the whole system up on this machine, in the foreground"],
  ["down", "stop and remove every container and network of a data directory; its state stays"],
  ["env", 'shell lines for the AWS CLI and SDKs: eval "$(gantry env)"'],
  ["aws …", "the AWS CLI, pointed at this Gantry"],
  ["image load FILE", "import an image: an OCI layout or a docker-archive, as a tar file"],
  ["version", "what this is"],
];

/** What `gantry --help` prints. */
export function helpText(): string {
  const commands = COMMANDS.map(([name, meaning]) => `  ${name.padEnd(18)}${meaning}`);
  const settings = Object.values(SETTINGS).map(({ flag, variable, fallback, meaning }) => {
    const byDefault = fallback === undefined ? "" : ` (default ${fallback})`;
    return `  --${flag.padEnd(24)}${variable}\n${" ".repeat(28)}${meaning}${byDefault}`;
  });
  return [
    "Gantry: Amazon ECS on machines you own.",
    "",
    "Usage: gantry COMMAND [settings]",
    "",
    ...commands,
    "",
    "Settings, by flag or by variable:",
    "",
    ...settings,
    "",
  ].join("\n");
}
