import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LoopbackDevice } from '../../drivers/loopback.js';
import { formatMac, hardwareAddressFor } from '../../drivers/mac.js';
import { openDevice } from '../../drivers/open.js';

for (const name of ['', 'tap', 'mill0', 'tap mill0', 'TAP:mill0', 'eth:0', 'loopback:', 'loop', '__proto__']) {
  t.test(`"${name}" → refused, naming the allowed forms`, (t) => {
    t.throws(() => openDevice(name), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: `"${name}" is no device: allowed are "tap:NAME", "tun:NAME" or "loopback", as in "tap:mill0"`,
    });
    t.end();
  });
}

for (const name of [
  'tap:',
  'tun:',
  'tap:sixteen-bytes-xx',
  'tap:a b',
  'tap:a/b',
  'tap:a:b',
  'tap:..',
  'tap:mill%d',
  'tap:äääääääää',
]) {
  t.test(`"${name}" → refused before anything is opened`, (t) => {
    t.throws(() => openDevice(name), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: /^".*" is no device: an interface name has 1 to 15 bytes, without spaces, "\/", ":" and "%"/,
    });
    t.end();
  });
}

t.test('loopback → the near end of a wire, with the MTU and the seed given', (t) => {
  const device = openDevice('loopback', { mtu: 9000, seed: 5, wire: { latencyUs: 10 } });
  t.ok(device instanceof LoopbackDevice);
  t.equal(device.mtu, 9000);
  t.equal((device as LoopbackDevice).latencyUs, 10);
  t.equal((device as LoopbackDevice).peer.mtu, 9000);
  t.same(device.mac, openDevice('loopback', { seed: 5 }).mac);
  t.end();
});

t.test('MAC addresses from names and seeds → locally administered, and all different', (t) => {
  const all = new Set<string>();
  for (const name of ['mill0', 'mill1', 'mill2', 'a', 'b', '']) {
    for (let seed = 0; seed < 50; seed++) {
      const mac = hardwareAddressFor(name, seed);
      t.equal((mac[0] as number) & 3, 2);
      all.add(formatMac(mac));
    }
  }
  t.equal(all.size, 300);
  t.match(formatMac(hardwareAddressFor('mill0', 0)), /^02:4d:52:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}$/);
  t.end();
});

t.test('koffi is not installed → loopback works, and a TAP says what to do', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-no-koffi-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const dist = fileURLToPath(new URL('../..', import.meta.url));
  for (const layer of ['drivers', 'stack']) cpSync(join(dist, layer), join(folder, layer), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  // Nearer than any that a folder further up may hold.
  mkdirSync(join(folder, 'node_modules', 'koffi'), { recursive: true });
  writeFileSync(join(folder, 'node_modules', 'koffi', 'package.json'), '{"main":"absent.js"}');
  const script = `
    import { openDevice } from './drivers/open.js';
    console.log(openDevice('loopback').name);
    try { openDevice('tap:mill0'); } catch (error) { console.log(error.code, error.message); }`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, encoding: 'utf8' });
  const [name, error] = said.split('\n');
  t.equal(name, 'loopback:a');
  t.match(
    error,
    process.platform === 'linux' ? /^EOPNOTSUPP .*the package koffi.*run "npm install"/ : /^EOPNOTSUPP .*need Linux/,
  );
  t.end();
});
