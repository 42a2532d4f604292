import { aws } from "./cli/aws.ts";
import { down } from "./cli/down.ts";
import { env } from "./cli/env.ts";
import { helpText } from "./cli/help.ts";
import { image } from "./cli/image.ts";
import { up } from "./cli/up.ts";
import { version } from "./cli/version.ts";
import { readCommandLine } from "./config.ts";
import { SetupError } from "./lib/errors.ts";

/** `gantry <command>`: the exit code. Errors that a user can mend are one line on stderr. */
async function main(args: readonly string[]): Promise<number> {
  // All after `aws` belongs to the AWS CLI, flags included.
  if (args[0] === "aws") return aws(readCommandLine([], process.env).settings, args.slice(1));
  const { words, help, settings } = readCommandLine(args, process.env);
  const [command, ...rest] = words;
  if (help || command === undefined || command === "help") {
    process.stdout.write(helpText());
    return help || command === "help" ? 0 : 2;
  }
  switch (command) {
    case "up":
      return up(settings);
    case "down":
      return down(settings);
    case "env":
      return env(settings);
    case "image":
      return image(settings, rest);
    case "version":
      return version();
    default:
      throw new SetupError(`there is no command '${command}'. See 'gantry --help'.`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`gantry: ${error.message}\n`);
  process.exitCode = 1;
}
