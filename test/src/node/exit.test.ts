import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const PROGRAM = fileURLToPath(new URL('./exit-program.js', import.meta.url));
/** Far longer than any of the programs takes; one that hangs is ended then, and fails. */
const LIMIT_MS = 60_000;

/** What the program printed; `killed` if it did not end by itself. */
function run(kind: string, what: string): Promise<string> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, kind, what], { timeout: LIMIT_MS, env }, (error, stdout, stderr) => {
      resolve(error?.killed ? 'killed' : `${stdout}${stderr}`.trim().replaceAll('\n', ' '));
    });
  });
}

/** libuv's rule: a process lives while a socket connects, writes, or reads unless it is unref'd; not because one is open. */
const PROGRAMS: Record<string, string> = {
  'both ended, nobody reads': 'exit',
  paused: 'exit',
  unref: 'exit',
  reads: 'alive exit',
  'writes, unref': 'written exit',
};

for (const kind of ['kernel', 'native', 'plain']) {
  for (const [what, expected] of Object.entries(PROGRAMS)) {
    t.test(`${kind}: ${what} → ${expected}`, async (t) => {
      t.equal(await run(kind, what), expected);
    });
  }
}
