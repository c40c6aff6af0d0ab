import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ManyRuns } from '../src/cli/run-many.js';
import { Command, enterNetwork, run, startCommand, temporaryDirectory } from './network.js';

const skip = enterNetwork('ip', 'curl');

/** Interfaces of this namespace, without the loopback. */
async function interfaces(): Promise<string[]> {
  const { stdout } = await run('ip', ['-o', 'link', 'show']);
  return [...stdout.matchAll(/^\d+: ([^:@]+)/gm)].map((match) => match[1] ?? '').filter((name) => name !== 'lo');
}

async function namespaces(): Promise<string> {
  return (await run('ip', ['netns', 'list'])).stdout;
}

const DEVICE = ['--device', 'tap:cli0', '--address', '10.61.0.2/24'];

t.test('what cannot be done → one line with its code, status 2, nothing left behind', { skip }, async (t) => {
  const many = new ManyRuns(t);
  const before = await namespaces();
  const folder = temporaryDirectory(t);
  const cases: [string, string[], RegExp][] = [
    ['an option there is not', ['serve', '--mtuu', '1500'], /--mtuu.*ERR_UNKNOWN_OPTION/],
    ['an MTU below the least', ['serve', ...DEVICE, '--mtu', '12'], /--mtu.*68.*65521/],
    ['an address that is none', ['serve', '--address', '10.61.0.300/24'], /--address/],
    ['a fault there is not', ['serve', ...DEVICE, '--fault', 'gremlins=1%'], /--fault.*gremlins/],
    ['a device of another kind', ['serve', '--device', 'tap:lo', '--address', '10.61.0.2/24'], /lo.*not a plain tap/],
    ['a directory that is not there', ['serve', join(folder, 'nowhere'), ...DEVICE], /nowhere.*ENOENT/],
    [
      'a trace in a directory that is not there',
      ['serve', ...DEVICE, '--trace', join(folder, 'no/trace')],
      /--trace.*ENOENT/,
    ],
    ['a port there is not', ['serve', ...DEVICE, '--port', '70000'], /--port.*65535/],
    ['an address that is the host’s', ['serve', ...DEVICE, '--host-address', '10.61.0.2'], /--host-address/],
  ];
  for (const [name, args, pattern] of cases) {
    const { status, stdout, stderr } = await many.run(args);
    t.equal(status, 2, name);
    t.equal(stdout, '', name);
    t.match(stderr, pattern, name);
    t.equal(stderr.trim().split('\n').length, 1, `${name}: one line`);
  }
  t.same(await interfaces(), [], 'no device');
  t.equal(await namespaces(), before, 'no namespace');
  t.same(readdirSync(folder), [], 'no file');
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} to a server → ends in order, the device and the socket are gone`, { skip }, async (t) => {
    const folder = temporaryDirectory(t);
    const control = join(folder, 'control.sock');
    const command = await startCommand(t, ['serve', '--control', control]);
    t.ok(existsSync(control));
    const got = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', `http://${command.address}/`]);
    t.equal(got.stdout, '200');
    t.ok((await interfaces()).includes(command.interfaceName));
    const { status } = await command.stop(signal);
    t.equal(status, 0);
    t.notOk((await interfaces()).includes(command.interfaceName));
    t.notOk(existsSync(control));
  });
}

t.test('killed at once → the device is gone with the process', { skip }, async (t) => {
  const command = await startCommand(t, ['echo']);
  process.kill(command.pid, 'SIGKILL');
  await command.finished();
  t.notOk((await interfaces()).includes(command.interfaceName));
});

t.test('a device in use → EBUSY with its name, and its user is not disturbed', { skip }, async (t) => {
  const command = await startCommand(t, ['serve']);
  const second = await new Command(t, ['serve', '--device', `tap:${command.interfaceName}`, '--no-control']).finished();
  t.equal(second.status, 2);
  t.match(second.stderr, new RegExp(`${command.interfaceName}.*EBUSY`));
  const got = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', `http://${command.address}/`]);
  t.equal(got.stdout, '200');
});

for (const args of [['serve'], ['echo'], ['iperf3'], ['ping', '10.255.255.1']]) {
  t.test(`the interface is deleted under ${args[0]} → it says so and ends with status 2`, { skip }, async (t) => {
    const command = await startCommand(t, args, /^on tap:|^PING /m);
    await run('ip', ['link', 'del', command.interfaceName]);
    const { status, stderr } = await command.finished();
    t.equal(status, 2);
    const why = '(EBADFD|its descriptor fails \\(EBADF\\))';
    const said = `^millrace: tap:${command.interfaceName} no longer works: ${why}\\. Was the interface deleted\\? Open it again \\(EIO\\)\n$`;
    t.match(stderr, new RegExp(said));
  });
}

t.test('millrace ss beside a server → the connection that stands', { skip }, async (t) => {
  const folder = temporaryDirectory(t);
  const control = join(folder, 'control.sock');
  const { address } = await startCommand(t, ['echo', '--control', control]);
  const socket = (await import('node:net')).connect(7, address);
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  t.teardown(() => socket.destroy());
  const { status, stdout } = await new Command(t, ['ss', '--json', '--control', control]).finished();
  t.equal(status, 0);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(rows, [{ state: 'ESTABLISHED', localAddress: address, localPort: 7, remotePort: socket.localPort }]);
  t.equal(rows.length, 1);
});
