import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { enterNetwork, filter, run, startPeer, type Test, temporaryDirectory, within } from './network.js';

const skip = enterNetwork('ip', 'ssh', 'ssh-keygen', '/usr/sbin/sshd') || accountLocked();

/** sshd lets nobody in whose password is marked as locked, key or no key. */
function accountLocked(): string | false {
  const entry = readFileSync('/etc/shadow', 'utf8').match(new RegExp(`^${userInfo().username}:([^:]*):`, 'm'));
  return entry?.[1]?.startsWith('!') === true ? 'needs an account that is not locked' : false;
}

/** Where Debian's sshd wants to be confined before a client is known. */
const CONFINEMENT = '/run/sshd';

/** An sshd of the kernel's side with keys of its own, and the command that reaches it: through us, over two connections of ours. */
async function sshThroughUs(t: Test): Promise<string[]> {
  const folder = temporaryDirectory(t);
  const key = join(folder, 'key');
  const generated = await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  if (generated.status !== 0) throw new Error(generated.stderr);
  const peer = await startPeer(t);
  const config = join(folder, 'sshd_config');
  writeFileSync(
    config,
    [
      `ListenAddress ${peer.hostAddress}:2222`,
      `HostKey ${key}`,
      `AuthorizedKeysFile ${key}.pub`,
      `PidFile ${join(folder, 'pid')}`,
      'PermitRootLogin yes',
      'StrictModes no',
      'UsePAM no',
      '',
    ].join('\n'),
  );
  if (!existsSync(CONFINEMENT)) {
    mkdirSync(CONFINEMENT, { mode: 0o755 });
    t.teardown(() => rmSync(CONFINEMENT, { recursive: true }));
  }
  const server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => server.kill());
  let said = '';
  await within(
    'sshd listening',
    new Promise<void>((resolve, reject) => {
      server.stderr.on('data', (bytes: Buffer) => {
        said += bytes.toString();
        if (said.includes('Server listening')) resolve();
      });
      server.once('exit', () => reject(new Error(`sshd: ${said}`)));
    }),
  );
  await peer.call('relay', { port: 22, host: peer.hostAddress, toPort: 2222 });
  const options = ['StrictHostKeyChecking=no', `UserKnownHostsFile=${folder}/known`, 'LogLevel=ERROR', 'BatchMode=yes'];
  return ['-F', 'none', '-i', key, ...options.flatMap((option) => ['-o', option]), peer.address];
}

t.test('ssh through us: a command, its output, its status', { skip }, async (t) => {
  const ssh = await sshThroughUs(t);
  const result = await run('ssh', [...ssh, 'echo out; echo err >&2; exit 7']);
  t.same(result, { status: 7, stdout: 'out\n', stderr: 'err\n' });
});

t.test('ssh through us: 8 MiB each way at once → the same bytes', { skip }, async (t) => {
  const ssh = await sshThroughUs(t);
  const sent = randomBytes(8 * 2 ** 20);
  const { status, stdout, stderr } = await filter('ssh', [...ssh, 'cat'], sent);
  t.same([status, stderr], [0, '']);
  t.ok(stdout.equals(sent));
});

t.test('ssh through us: a terminal, key by key → each is echoed before the next', { skip }, async (t) => {
  const ssh = await sshThroughUs(t);
  const client = spawn('ssh', ['-tt', ...ssh, 'stty -echo raw; echo ready; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => client.kill());
  let screen = '';
  let seen = (): void => {};
  client.stdout.on('data', (bytes: Buffer) => {
    screen += bytes.toString();
    seen();
  });
  const shows = async (text: string): Promise<void> => {
    while (!screen.includes(text)) await within(text, new Promise<void>((resolve) => (seen = resolve)));
  };
  await shows('ready');
  const typed = 'the quick brown fox jumps over the lazy dog';
  screen = '';
  for (let i = 1; i <= typed.length; i++) {
    client.stdin.write(typed.slice(i - 1, i));
    await shows(typed.slice(0, i));
  }
  t.equal(screen, typed);
  const ended = once(client, 'exit');
  client.stdin.end();
  client.kill();
  await within('the end of ssh', ended);
});
