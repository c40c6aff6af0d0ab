import type { Command } from 'commander';
import { print } from '../output.js';

const EXAMPLES = `
Examples:
  millrace profiles                                        # what differs, side by side
  millrace profiles --all                                  # and what is the same in all
  millrace profiles --json | jq '.rows[] | select(.kind == "behaviour")'
  millrace packetdrill --profile linux-6.12 script.pkt     # one of them at work
`;

interface ProfilesOptions {
  readonly all?: boolean;
  readonly json?: boolean;
}

export function addProfiles(program: Command): void {
  program
    .command('profiles')
    .summary('whose TCP the stack can be, side by side')
    .description(
      'Prints the profiles side by side: what each answers differently, its limits and its settings. "linux", the default, is the newest Linux.',
    )
    .option('--all', 'rows that are the same in all profiles, too')
    .option('--json', 'one JSON object: the names, what "linux" means, and the rows')
    .addHelpText('after', EXAMPLES)
    .action(async ({ all, json }: ProfilesOptions) => {
      const { differs, PROFILE_COLUMNS, profileLines, profileRows } = await import('../profile-table.js');
      const { LINUX } = await import('../../../stack/tcp/profiles.js');
      const rows = profileRows().filter((row) => all === true || differs(row));
      if (json === true) print(JSON.stringify({ profiles: PROFILE_COLUMNS, linux: LINUX.name, rows }, undefined, 2));
      else for (const line of profileLines(rows)) print(line);
    });
}
