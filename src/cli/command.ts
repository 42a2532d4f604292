import type { Settings } from "../config.ts";
import type { SettingName } from "../settings.ts";

/** One call of a command. */
export interface Invocation {
  readonly settings: Settings;
  /** What stands behind the command's name, flags left out; as many as {@link Command.words}. */
  readonly words: readonly string[];
  readonly switches: ReadonlySet<string>;
}

/** A command as data: its usage, help and completion are made from this. */
export interface Command {
  readonly name: string;
  /** The words behind the name: `load` stands for itself, `bash|zsh` for one of these, `FILE` for anything, `[FILE]` for what may be missing. */
  readonly words: readonly string[];
  readonly summary: string;
  /** Paragraphs below the summary in the command's own help. */
  readonly details: readonly string[];
  /** The settings that it takes as flags. */
  readonly settings: readonly SettingName[];
  /** Flags without a value → meaning. */
  readonly switches: Readonly<Record<string, string>>;
  /** All that follows belongs to another program, flags included. */
  readonly passesOn?: boolean;
  /** Resolves with the exit code. Its modules are loaded when it is called. */
  readonly run: (invocation: Invocation) => Promise<number>;
}

/** `gantry image load FILE [settings]`. */
export function usageOf({ name, words, settings, switches, passesOn }: Command): string {
  const options = settings.length + Object.keys(switches).length > 0 ? ["[options]"] : [];
  const tail = passesOn ? ["…"] : options;
  return ["gantry", name, ...words, ...tail].join(" ");
}
