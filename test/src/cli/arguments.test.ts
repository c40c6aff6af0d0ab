import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { noTap, PROGRAM, privately, Run, run, scratch } from './run-cli.js';
import { ManyRuns } from './run-many.js';

/** Each ends before anything is opened, so none needs rights: [arguments, code, what the line says]. */
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['bogus', 'ERR_UNKNOWN_COMMAND', /unknown command 'bogus'/],
  ['serve --mtuu 1500', 'ERR_UNKNOWN_OPTION', /'--mtuu'.*Did you mean --mtu/],
  ['serve --mtu', 'ERR_MISSING_ARGS', /--mtu <bytes>/],
  ['serve --mtu 12', 'ERR_OUT_OF_RANGE', /--mtu is "12": allowed is a whole number from 68/],
  ['serve no-such-directory', 'ENOENT', /no-such-directory does not exist/],
  ['serve file', 'ENOTDIR', /\[dir\] is "file": allowed is a directory/],
  ['serve --port 0', 'ERR_OUT_OF_RANGE', /--port is "0"/],
  ['serve --control file', 'EEXIST', /is no socket/],
  ['echo --chargen 65536', 'ERR_OUT_OF_RANGE', /--chargen is "65536"/],
  ['ping', 'ERR_MISSING_ARGS', /'address'/],
  ['ping 10.0.0', 'ERR_INVALID_ARG_VALUE', /<address> is "10.0.0"/],
  ['ping 10.0.0.1 -i 1us', 'ERR_OUT_OF_RANGE', /--interval is "1us": allowed is a time from 2 ms/],
  ['ping 10.0.0.1 -s 65508', 'ERR_OUT_OF_RANGE', /--size/],
  ['ping 10.0.0.1 10.0.0.3', 'ERR_INVALID_ARG_VALUE', /too many arguments/],
  ['ss --control nobody.sock', 'ENOENT', /nobody.sock does not exist/],
  ['ss', 'ENOENT', /no instance of yours is running/],
  ['demo --loopback --fault delay=x', 'ERR_INVALID_ARG_VALUE', /--fault: fault "delay" is "x": allowed is a duration/],
];

t.test('arguments that cannot be right → one line with a code, status 2, nothing left behind', (t) => {
  const many = new ManyRuns(t);
  for (const [line, code, says] of REFUSED) {
    t.test(line, async (t) => {
      const cwd = scratch(t);
      const runtime = scratch(t);
      writeFileSync(join(cwd, 'file'), 'untouched');
      const needsDevice = line.includes('--control file');
      if (needsDevice && noTap !== false) {
        t.pass(noTap);
        return;
      }
      const args = line.split(' ');
      const options = { cwd, env: privately(runtime) };
      // One as a user starts it: the others show that these outcomes are the program's.
      const { status, stdout, stderr } =
        needsDevice || args[0] === 'bogus'
          ? await run(args, { ...options, namespace: needsDevice })
          : await many.run(args, options);
      t.equal(status, 2);
      t.equal(stdout, '');
      t.match(stderr, says);
      t.ok(stderr.trimEnd().endsWith(`(${code})`), `ends with its code: ${stderr}`);
      t.equal(stderr.trimEnd().split('\n').length, 1, 'one line');
      t.notOk(stderr.includes('\x1b'), 'no colour in a pipe');
      t.same(readdirSync(cwd), ['file']);
      t.same(socketsIn(runtime), []);
    });
  }
  t.end();
});

t.test('help → status 0, and each command shows an example', (t) => {
  const many = new ManyRuns(t);
  for (const command of ['serve', 'echo', 'ping', 'ss', 'demo', 'iperf3', 'packetdrill']) {
    t.test(command, async (t) => {
      const { status, stdout, stderr } = await (command === 'serve'
        ? run([command, '--help'])
        : many.run([command, '--help']));
      t.equal(status, 0);
      t.equal(stderr, '');
      t.match(stdout, new RegExp(`Examples:\\n(.*\\n)*.*millrace ${command}`));
    });
  }
  t.end();
});

t.test('no command → the help on standard error, status 2', async (t) => {
  const { status, stdout, stderr } = await run([]);
  t.equal(status, 2);
  t.equal(stdout, '');
  t.match(stderr, /Usage: millrace/);
});

t.test(
  'no rights → says so with a code, leaves nothing',
  { skip: process.getuid?.() !== 0 && 'needs root, to give it up' },
  async (t) => {
    const cwd = scratch(t);
    const { status, stderr } = await run(['serve', '--trace', '/dev/null', '--no-control'], {
      unprivileged: true,
      cwd: '/',
    });
    t.equal(status, 2);
    t.match(stderr, /\/dev\/net\/tun cannot be opened: EACCES\. Run as root|CAP_NET_ADMIN/);
    t.equal(stderr.trimEnd().split('\n').length, 1);
    t.same(readdirSync(cwd), []);
  },
);

t.test('a device in use → EBUSY, and what runs on it goes on', { skip: noTap }, async (t) => {
  const cwd = scratch(t);
  const env = privately(cwd);
  const first = new Run(['serve', '--host-address', '10.0.0.1', '--no-control'], { namespace: true, env });
  await first.says(/on tap:mill0/);
  const trace = join(cwd, 't.pcapng');
  const second = await first.beside(process.execPath, PROGRAM, 'echo', '--trace', trace);
  t.equal(second.status, 2);
  t.match(second.stderr, /mill0 is in use by another program.*EBUSY/);
  t.notOk(existsSync(trace), 'no trace of what never ran');
  t.same(socketsIn(cwd), []);
  const page = await first.beside('curl', '-s', '-m', '10', 'http://10.0.0.2/');
  t.match(page.stdout, /Millrace/);
  first.child.kill('SIGTERM');
  t.equal((await first.ended).status, 0);
});

t.test('a trace that cannot be written → status 2, and the device is gone again', { skip: noTap }, async (t) => {
  // A persistent network namespace is not needed: what a process leaves in its own cannot be seen, so both share one.
  const cwd = scratch(t);
  const other = new Run(['serve', '--device', 'tap:other', '--address', '10.9.0.2/24', '--no-control'], {
    namespace: true,
  });
  await other.says(/on tap:other/);
  const failed = await other.beside(
    process.execPath,
    PROGRAM,
    'serve',
    '--control',
    join(cwd, 's.sock'),
    '--trace',
    '/proc/no-such-file',
  );
  t.equal(failed.status, 2);
  t.match(failed.stderr, /--trace/);
  t.notOk(existsSync(join(cwd, 's.sock')), 'no socket');
  const links = await other.beside('ip', '-o', 'link');
  t.match(links.stdout, /other/);
  t.notMatch(links.stdout, /mill0/);
  other.child.kill('SIGINT');
  t.equal((await other.ended).status, 0);
});

function socketsIn(runtime: string): string[] {
  const directory = join(runtime, 'millrace');
  return existsSync(directory) ? readdirSync(directory) : [];
}
