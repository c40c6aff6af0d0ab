import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const FIXTURE = fileURLToPath(new URL('./fixtures/process-life.js', import.meta.url));
const run = promisify(execFile);

for (const [scenario, output] of [
  ['host', 'still here'],
  ['unref-host', ''],
  ['server', 'still here'],
  ['unref-server', ''],
  ['closed-server', ''],
  ['connection', 'still here'],
  ['unref-connection', ''],
  ['exchange', 'answer'],
  ['datagrams', 'still here'],
  ['unref-datagrams', ''],
] as const) {
  t.test(`${scenario} → ${output === '' ? 'the process ends by itself' : output}`, async (t) => {
    const { stdout, stderr } = await run(process.execPath, [FIXTURE, scenario], { timeout: 20_000 });
    t.equal(stdout.trim(), output);
    t.equal(stderr, '', 'and Node warns of nothing');
  });
}
