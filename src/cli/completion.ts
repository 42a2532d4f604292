import { SETTINGS } from "../settings.ts";
import type { Command } from "./command.ts";

/** `gantry completion bash|zsh`. */
export function completion(commands: readonly Command[], shell: string): number {
  process.stdout.write(shell === "zsh" ? zshScript(commands) : bashScript(commands));
  return 0;
}

/** A function for bash's `complete`: commands, then what a command takes; files where a value is one. */
export function bashScript(commands: readonly Command[]): string {
  const cases = commands.map((command) => `      ${command.name}) words="${wordsOf(command)}" ;;`);
  return `_gantry() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} help --help --version"
  else
    case \${COMP_WORDS[1]} in
${cases.join("\n")}
    esac
  fi
  while read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current")
}
complete -o default -F _gantry gantry
`;
}

/** zsh runs bash's function. */
function zshScript(commands: readonly Command[]): string {
  return `autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${bashScript(commands)}`;
}

function wordsOf({ words, settings, switches, passesOn }: Command): string {
  if (passesOn) return "";
  const literals = words
    .filter((word) => word !== word.toUpperCase())
    .flatMap((word) => word.split("|"));
  const flags = [...settings.map((name) => SETTINGS[name].flag), ...Object.keys(switches), "help"];
  return [...literals, ...flags.map((flag) => `--${flag}`)].join(" ");
}
