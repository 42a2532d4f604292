import { SETTINGS, type Setting } from "../settings.ts";
import { type Command, usageOf } from "./command.ts";

/** What `gantry --help` prints. */
export function helpText(commands: readonly Command[]): string {
  const lines = commands.map(({ name, words, passesOn, summary }) => {
    const call = [name, ...words, ...(passesOn ? ["…"] : [])].join(" ");
    return `  ${call.padEnd(22)}${summary}`;
  });
  return [
    "Gantry: Amazon ECS on machines you own.",
    "",
    "Usage: gantry COMMAND [options]",
    "",
    ...lines,
    "",
    "'gantry COMMAND --help' explains one. Settings are flags or GANTRY_* variables; 'gantry up --help' lists them all.",
    "",
  ].join("\n");
}

/** What `gantry up --help` prints. */
export function commandHelpText(command: Command): string {
  const options = [
    ...Object.entries(command.switches).map(([flag, meaning]) => [
      `  --${flag}`,
      `      ${meaning}`,
    ]),
    ...command.settings.map((name) => settingLines(SETTINGS[name])),
  ];
  return [
    `Usage: ${usageOf(command)}`,
    "",
    `${sentence(command.summary)}`,
    ...command.details,
    ...(options.length > 0 ? ["", "Options, and the variables that do the same:"] : []),
    ...options.flat(),
    "",
  ].join("\n");
}

function settingLines({ flag, variable, fallback, form, meaning, reason }: Setting): string[] {
  return [
    `  --${flag.padEnd(24)}${variable}`,
    `      ${meaning}`,
    `      takes ${form}`,
    `      ${fallback === undefined ? "no default" : `default ${fallback}`}: ${reason}`,
  ];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
