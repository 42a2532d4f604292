import { readCommandLine } from "./cli/command-line.ts";
import { COMMANDS } from "./cli/commands.ts";
import { explain } from "./cli/explain.ts";
import { commandHelpText, helpText } from "./cli/help.ts";

/** `gantry <command>`: the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const request = readCommandLine(args, process.env, COMMANDS);
  switch (request.kind) {
    case "run":
      return request.command.run(request.invocation);
    case "help":
      process.stdout.write(request.command ? commandHelpText(request.command) : helpText(COMMANDS));
      return 0;
    case "nothing":
      process.stderr.write(helpText(COMMANDS));
      return 2;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const line = explain(error);
  // What nobody foresaw is shown whole.
  if (line === undefined) throw error;
  process.stderr.write(`gantry: ${line}\n`);
  process.exitCode = 1;
}
