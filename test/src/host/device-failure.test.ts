import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { CaptureDevice } from '../../../drivers/capture.js';
import type { Driver } from '../../../drivers/driver.js';
import { FaultDevice } from '../../../drivers/fault.js';
import { noFaults } from '../../../drivers/fault-options.js';
import { createWire } from '../../../drivers/loopback.js';
import { openTap, openTun } from '../../../drivers/tap.js';
import { TraceDevice } from '../../../drivers/trace.js';
import { Host } from '../../../src/host/host.js';
import { VirtualWorld } from '../../../src/host/virtual-world.js';
import { NodeNet } from '../../../src/node/node-net.js';
import type { StackError } from '../../../stack/base/errors.js';
import type { ConnectionId } from '../../../stack/base/units.js';
import { Medium } from '../../../stack/net/device.js';
import { Stack } from '../../../stack/stack.js';
import { enterNamespace } from '../../drivers/namespace.js';
import { SMALL_UDP } from '../../small-udp.js';

const skip = enterNamespace() ?? false;

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function makeStack(): Stack {
  return new Stack({ seed: 1, tcp: { connectionsMax: 64, activeMax: 64 }, udp: SMALL_UDP });
}
function at(stack: Stack, address: string) {
  return { addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }] };
}

/** A host that counts its failures, and keeps the first. */
function watched(t: { teardown(body: () => void): void }, stack = makeStack()) {
  const failures: { name: string; error: StackError }[] = [];
  let tell: () => void = () => {};
  const failed = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const host = new Host({
    stack,
    onDeviceFailure: ({ iface }, error) => {
      failures.push({ name: iface.name, error });
      tell();
    },
  });
  t.teardown(() => host.stop());
  return { host, stack, failures, failed };
}

const DEVICES: readonly [string, (name: string, hostAddress: string) => Driver][] = [
  ['tap', (name, hostAddress) => openTap(name, { hostAddress })],
  ['tun', (name, hostAddress) => openTun(name, { hostAddress })],
  [
    'trace over capture over fault over tap',
    (name, hostAddress) => {
      const fault = new FaultDevice(openTap(name, { hostAddress }), { in: noFaults(), out: noFaults() }, 1);
      return new TraceDevice(new CaptureDevice(fault, { sink: { write() {}, close() {} } }), { write() {} });
    },
  ],
];

for (const [i, [kind, open]] of DEVICES.entries()) {
  t.test(
    `${kind}: idle, the interface is deleted → reported once, the link is down, no turn follows`,
    { skip },
    async (t) => {
      const { host, stack, failures, failed } = watched(t);
      const device = open(`idle${i}`, `10.8.${i}.1/24`);
      const iface = host.attach(device, at(stack, `10.8.${i}.2`));
      host.start();
      await tick();
      t.equal(iface.up, true);
      ip('link', 'del', `idle${i}`);
      await failed;
      t.match(failures, [
        { name: device.name, error: { code: 'EIO', message: /no longer works: .* Was the interface deleted\?/ } },
      ]);
      t.equal(iface.up, false);
      t.same(host.attachments, [], 'nobody asks it for frames any more');
      t.equal(device.pollFd, -1, 'closed');
      const turns = countTurns(stack);
      for (let pass = 0; pass < 500; pass++) await tick();
      t.equal(turns(), 0, 'no loop');
      t.equal(failures.length, 1, 'once');
    },
  );
}

/** How often the stack is asked for what it has to send: every turn does. */
function countTurns(stack: Stack): () => number {
  let count = 0;
  const flush = stack.flush.bind(stack);
  stack.flush = () => {
    count += 1;
    return flush();
  };
  return () => count;
}

t.test(
  'the interface is deleted before we send → the failure of the sending is reported, once',
  { skip },
  async (t) => {
    const { host, stack, failures, failed } = watched(t);
    // A device that is never asked whether frames wait: only the write fails.
    const device = openTap('write0');
    device.receive = () => 0;
    host.attach(device, at(stack, '10.8.9.2'));
    host.start();
    await tick();
    ip('link', 'del', 'write0');
    const free = stack.slab.freeCount;
    const id = stack.udp.open({ port: 1 });
    stack.udp.send(id, Buffer.from('x'), 0, 1, stack.net.parseAddress('10.8.9.1'), 9);
    // Before the event loop has looked at the descriptor.
    host.turn();
    t.equal(device.lastErrno, 77, 'EBADFD');
    await failed;
    t.equal(failures.length, 1);
    t.match(failures[0], { error: { code: 'EIO' } });
    t.equal(stack.slab.freeCount, free, 'what it was to send is given back');
    await tick();
    t.equal(failures.length, 1);
  },
);

t.test('the device does not say why, its descriptor fails → the host does', { skip }, async (t) => {
  const { host, stack, failures, failed } = watched(t);
  const device = openTap('mute0');
  Object.defineProperty(device, 'failure', { get: () => null, set() {} });
  host.attach(device, at(stack, '10.8.9.2'));
  host.start();
  await tick();
  ip('link', 'del', 'mute0');
  await failed;
  t.match(failures, [
    {
      error: { code: 'EIO', message: /^tap:mute0 no longer works: its descriptor fails \(EBADF\)\. Was the interface/ },
    },
  ]);
  t.same(host.attachments, []);
});

t.test('nobody listens → the error is uncaught, with its message', { skip }, async (t) => {
  const host = new Host({ stack: makeStack() });
  t.teardown(() => host.stop());
  host.attach(openTap('loud0'));
  host.start();
  await tick();
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const caught = new Promise((resolve) => process.once('uncaughtException', resolve));
  ip('link', 'del', 'loud0');
  t.match(await caught, { code: 'EIO', message: /^tap:loud0 no longer works/ });
  for (const listener of others) process.on('uncaughtException', listener);
  t.equal(host.running, true, 'its other devices, and its timers, work on');
});

t.test('two devices, one fails → the other carries on, and takes what it has a route for', { skip }, async (t) => {
  const { host, stack, failures, failed } = watched(t);
  host.attach(openTap('pair0', { hostAddress: '10.8.20.1/24' }), at(stack, '10.8.20.2'));
  host.attach(openTap('pair1', { hostAddress: '10.8.21.1/24' }), at(stack, '10.8.21.2'));
  host.start();
  const net = new NodeNet(host);
  const server = net.createServer((socket) => socket.pipe(socket)).listen(7);
  t.teardown(() => server.close());
  ip('link', 'del', 'pair0');
  await failed;
  t.equal(failures.length, 1);
  t.equal(await echoed(connect(7, '10.8.21.2')), 'hello');
  t.throws(() => stack.tcp.open({ remoteAddress: stack.net.parseAddress('10.8.20.1'), remotePort: 9 }), {
    code: 'ENETUNREACH',
  });
});

async function echoed(socket: Socket): Promise<string> {
  socket.write('hello');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}

t.test('fails, another device takes its place → the connection goes on', { skip }, async (t) => {
  const { host, stack, failures, failed } = watched(t);
  const open = () => openTap('again0', { hostAddress: '10.8.22.1/24' });
  const iface = host.attach(open(), at(stack, '10.8.22.2'));
  host.start();
  const net = new NodeNet(host);
  const server = net.createServer((socket) => socket.pipe(socket)).listen(7);
  t.teardown(() => server.close());
  const client = connect(7, '10.8.22.2');
  client.write('before');
  t.equal(String(await once(client, 'data')), 'before');
  t.throws(() => host.reattach(iface, createWire()[0]), { code: 'EBUSY', message: /again0 has a device that works/ });
  ip('link', 'del', 'again0');
  await failed;
  const other = openTap('other0');
  t.throws(() => host.reattach(iface, other), { code: 'EINVAL', message: /tap:other0 does not fit tap:again0/ });
  other.close(stack.slab);
  host.reattach(iface, open());
  t.equal(iface.up, true);
  client.write('after');
  t.equal(String(await once(client, 'data')), 'after');
  client.destroy();
  t.equal(failures.length, 1);
  ip('link', 'del', 'again0');
  while (failures.length < 2) await tick();
  t.equal(iface.up, false, 'and it can fail, too');
});

t.test('a wire under two hosts, one end fails → its host hears of it, the other does not', async (t) => {
  const [near, far] = createWire();
  const a = watched(t);
  const b = watched(t);
  a.host.attach(near, at(a.stack, '10.0.0.1'));
  b.host.attach(far, at(b.stack, '10.0.0.2'));
  a.host.start();
  b.host.start();
  await tick();
  near.fail();
  await a.failed;
  t.match(a.failures, [{ name: 'loopback:a', error: { code: 'EIO' } }]);
  for (let pass = 0; pass < 100; pass++) await tick();
  t.equal(a.failures.length, 1);
  t.equal(b.failures.length, 0);
});

t.test('a descriptor that cannot be watched → an error, and the process lives; the host is as it was', (t) => {
  const { host } = watched(t);
  host.start();
  for (const [pollFd, code] of [
    [999, 'EBADF'],
    [execFd(), 'EPERM'],
  ] as const) {
    const device = createWire()[0];
    Object.defineProperty(device, 'pollFd', { value: pollFd });
    t.throws(() => host.attach(device), { code, message: /^descriptor \d+ cannot be watched/ });
  }
  t.same(host.attachments, []);
  t.end();
});

/** A regular file, which no event loop can wait for. */
function execFd(): number {
  return openSync(process.execPath, 'r');
}

t.test('the same device attached twice → EBUSY, and the first works on', { skip }, async (t) => {
  const { host, stack, failures, failed } = watched(t);
  host.start();
  const device = openTap('twice0');
  host.attach(device, at(stack, '10.8.23.2'));
  t.throws(() => host.attach(device), { code: 'EBUSY', message: /is watched already/ });
  t.equal(host.attachments.length, 1);
  ip('link', 'del', 'twice0');
  await failed;
  t.equal(failures.length, 1);
});

/** Two stacks in virtual time. */
function world() {
  const virtual = new VirtualWorld();
  const wire = createWire({ latencyUs: 1000, medium: Medium.ETHERNET });
  const hosts = ['10.0.0.1', '10.0.0.2'].map((address, i) => {
    const host = virtual.add(
      address,
      new Stack({ seed: i, tcp: { connectionsMax: 64, activeMax: 64 }, udp: SMALL_UDP }),
    );
    host.attach(wire[i], at(host.stack, address));
    return host;
  });
  return { virtual, wire, hosts };
}

t.test('virtual time, a device fails → reported once; an open is ENETUNREACH, what is under way times out', (t) => {
  const { virtual, wire, hosts } = world();
  const [near] = hosts;
  const failures: string[] = [];
  near.onDeviceFailure = ({ iface }, error) => failures.push(`${iface.name} ${error.code}`);
  const { tcp, udp, net } = near.stack;
  hosts[1].stack.tcp.listen({ port: 80 });
  const remote = { remoteAddress: net.parseAddress('10.0.0.2'), remotePort: 80 };
  const established = tcp.open(remote);
  virtual.runFor(1_000_000);
  t.equal(tcp.info(established).state, 'ESTABLISHED');
  const free = near.stack.slab.freeCount;
  const mss = tcp.info(established).sndMss;
  wire[0].fail();
  tcp.send(established, Buffer.alloc(50_000), 0, 50_000);
  near.wake();
  virtual.runFor(60_000_000);
  t.same(failures, ['loopback:a EIO']);
  t.throws(() => tcp.open(remote), {
    code: 'ENETUNREACH',
    message: /no route to 10\.0\.0\.2 by an interface that is up/,
  });
  t.throws(() => tcp.open({ ...remote, localAddress: net.parseAddress('10.0.0.1') }), { code: 'ENETUNREACH' });
  const socket = udp.open({ address: net.parseAddress('10.0.0.1') });
  t.throws(() => udp.connect(socket, remote.remoteAddress, 9), { code: 'ENETUNREACH' });
  t.equal(tcp.info(established).state, 'ESTABLISHED', 'not told: the link may come back');
  t.equal(tcp.info(established).sndMss, mss, 'nor does it send less at a time');
  virtual.runFor(7_200_000_000);
  t.equal(tcp.takeError(established), 'ETIMEDOUT');
  tcp.close(established);
  t.equal(near.stack.slab.freeCount, free, 'every slot is given back');
  t.same(failures, ['loopback:a EIO']);
  t.end();
});

t.test('virtual time, nobody listens → the error comes out of the call that lets time pass, once', (t) => {
  const { virtual, wire } = world();
  virtual.runFor(1000);
  wire[1].fail();
  t.throws(() => virtual.runFor(1000), { code: 'EIO', message: /loopback:b no longer works/ });
  virtual.runFor(1000);
  t.end();
});

t.test('virtual time, another wire in its place → what was sent meanwhile arrives', (t) => {
  const { virtual, wire, hosts } = world();
  const [near, far] = hosts;
  near.onDeviceFailure = far.onDeviceFailure = () => {};
  const listener = far.stack.tcp.listen({ port: 80 });
  const id = near.stack.tcp.open({ remoteAddress: near.stack.net.parseAddress('10.0.0.2'), remotePort: 80 });
  virtual.runFor(1_000_000);
  const accepted = far.stack.tcp.accept(listener) as ConnectionId;
  wire[0].fail();
  wire[1].fail();
  virtual.runFor(1000);
  near.stack.tcp.send(id, Buffer.from('hello'), 0, 5);
  near.wake();
  virtual.runFor(10_000_000);
  const again = createWire({ latencyUs: 1000 });
  for (const [i, host] of hosts.entries()) host.reattach(host.stack.net.interfaces[0], again[i]);
  virtual.runFor(60_000_000);
  const into = new Uint8Array(10);
  t.equal(far.stack.tcp.receive(accepted, into, 0, 10), 5);
  t.equal(Buffer.from(into.subarray(0, 5)).toString(), 'hello');
  t.end();
});
