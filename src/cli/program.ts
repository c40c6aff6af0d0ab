import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addDemo } from './commands/demo.js';
import { addEcho } from './commands/echo.js';
import { addIperf3 } from './commands/iperf3.js';
import { addPacketdrill } from './commands/packetdrill.js';
import { addPing } from './commands/ping.js';
import { addProfiles } from './commands/profiles.js';
import { addServe } from './commands/serve.js';
import { addSs } from './commands/ss.js';
import { CliError, Exit, failureOf } from './errors.js';
import { complain } from './output.js';

/** commander's complaints under codes of the kind Node has. */
const CODES: Readonly<Record<string, string>> = {
  'commander.unknownOption': 'ERR_UNKNOWN_OPTION',
  'commander.unknownCommand': 'ERR_UNKNOWN_COMMAND',
  'commander.missingArgument': 'ERR_MISSING_ARGS',
  'commander.optionMissingArgument': 'ERR_MISSING_ARGS',
  'commander.missingMandatoryOptionValue': 'ERR_MISSING_ARGS',
  'commander.excessArguments': 'ERR_INVALID_ARG_VALUE',
  'commander.invalidArgument': 'ERR_INVALID_ARG_VALUE',
  'commander.conflictingOption': 'ERR_INVALID_ARG_VALUE',
};

function makeProgram(): Command {
  const program = new Command('millrace')
    .description('A TCP/IP stack in TypeScript, attached to a TAP device: frames in, connections out.')
    .version(version(), '--version')
    .showSuggestionAfterError(true)
    .addHelpText('after', '\n"millrace COMMAND --help" tells the options of a command and shows examples.');
  addDemo(program);
  addServe(program);
  addEcho(program);
  addIperf3(program);
  addPing(program);
  addPacketdrill(program);
  addProfiles(program);
  addSs(program);
  for (const command of [program, ...program.commands]) {
    command.exitOverride();
    // It is said once, by us, with its code.
    command.configureOutput({ outputError: () => {} });
  }
  return program;
}

/** Runs the command that `process.argv` says. Its outcome is the output and `process.exitCode`. */
export async function main(): Promise<void> {
  const program = makeProgram();
  if (process.argv.length <= 2) {
    program.outputHelp({ error: true });
    process.exitCode = Exit.UNUSABLE;
    return;
  }
  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return;
      fail(new CliError(CODES[error.code] ?? 'ERR_INVALID_ARG_VALUE', commanderMessage(error)));
    } else {
      fail(error);
    }
  }
}

function fail(error: unknown): void {
  complain(error);
  process.exitCode = failureOf(error).exit;
}

/** `error: unknown option '--mtuu'\n(Did you mean --mtu?)` → one line without the prefix. */
function commanderMessage(error: CommanderError): string {
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  return `${text}; see --help`;
}

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
