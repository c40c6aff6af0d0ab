import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { Observer } from '../../drivers/observer.js';
import { openTap, openTun, type TapDevice } from '../../drivers/tap.js';
import { Host } from '../../src/host/host.js';
import { NodeNet } from '../../src/node/node-net.js';
import type { FrameSlab } from '../../stack/memory/frame-slab.js';
import { Medium } from '../../stack/net/device.js';
import { Stack } from '../../stack/stack.js';
import { Direction } from '../../stack/wire/pcapng.js';
import { Verdict } from '../../stack/wire/verdict.js';
import { SMALL_UDP } from '../small-udp.js';
import { NOBODY, reveal } from '../unprivileged.js';
import { ETHERTYPE_TEST, frame, numberOf, TestHost } from './contract.js';
import { ALL_OFFLOADS, Flag, Holder, setOffload } from './last-holder.js';
import { enterNamespace } from './namespace.js';
import { PacketSocket } from './packet-socket.js';

// A persistent interface keeps what its last holder set on it.

const skip = enterNamespace() ?? false;
const PLAIN_TAP = Flag.IFF_TAP | Flag.IFF_NO_PI;

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
function made(name: string, mode: 'tap' | 'tun' = 'tap', ...more: string[]): void {
  ip('tuntap', 'add', 'dev', name, 'mode', mode, ...more);
}
function closed(device: TapDevice): void {
  device.close(new TestHost(device).slab);
}

/** The longest frame that comes out of an interface. */
class Lengths extends Observer {
  longest = 0;
  constructor(inner: TapDevice) {
    super(inner, false);
  }
  protected override see(direction: Direction, _offset: number, length: number, _slab: FrameSlab): void {
    if (direction === Direction.INBOUND && length > this.longest) this.longest = length;
  }
}

const STREAM_BYTES = 400_000;

/** The kernel sends a stream and a large datagram to a stack on `device`, until it has all of it or something is lost. */
async function kernelSends(device: TapDevice, address: string) {
  const lengths = new Lengths(device);
  const stack = new Stack({ seed: 1, tcp: { connectionsMax: 64, activeMax: 64 }, udp: SMALL_UDP });
  const host = new Host({ stack });
  host.attach(lengths, { addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }] });
  host.start();
  const net = new NodeNet(host);
  const datagrams = net.createSocket('udp4');
  let datagram = 0;
  datagrams.on('message', (message: Buffer) => {
    datagram = message.length;
  });
  datagrams.bind(53);
  await once(datagrams, 'listening');
  let streamed = 0;
  const server = net.createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      streamed += chunk.length;
    });
  });
  server.listen(80);
  const client = connect(80, address);
  client.write(Buffer.alloc(STREAM_BYTES, 'x'));
  const sender = createSocket('udp4');
  sender.send(Buffer.alloc(1472, 'y'), 53, address);
  const { verdicts } = stack.net.stats;
  const lost = () => device.counters.dropsReceived + verdicts[Verdict.TCP_CHECKSUM] + verdicts[Verdict.UDP_CHECKSUM];
  while (lost() === 0 && !(streamed === STREAM_BYTES && datagram > 0)) await new Promise((done) => setTimeout(done, 5));
  client.destroy();
  sender.close();
  datagrams.close();
  host.stop();
  return { streamed, datagram, longest: lengths.longest, lost: lost() };
}

t.test('the last holder had offloads and a header → full checksums, no frame above the MTU', { skip }, async (t) => {
  made('left0');
  const holder = new Holder('left0', PLAIN_TAP | Flag.IFF_VNET_HDR);
  holder.headerBytes(12);
  holder.offload(ALL_OFFLOADS);
  holder.close();
  const device = openTap('left0', { hostAddress: '10.9.10.1/24' });
  t.same(await kernelSends(device, '10.9.10.2'), { streamed: STREAM_BYTES, datagram: 1472, longest: 1514, lost: 0 });
});

t.test('the same, offloads without a header, and a TUN interface', { skip }, async (t) => {
  made('left1', 'tun');
  const holder = new Holder('left1', Flag.IFF_TUN | Flag.IFF_NO_PI);
  holder.offload(ALL_OFFLOADS);
  holder.close();
  const device = openTun('left1', { hostAddress: '10.9.11.1/24' });
  t.equal(device.medium, Medium.IP);
  t.same(await kernelSends(device, '10.9.11.2'), { streamed: STREAM_BYTES, datagram: 1472, longest: 1500, lost: 0 });
});

t.test('offloads set through our descriptor → gone when we go: the next holder gets plain frames', { skip }, (t) => {
  made('left2');
  const device = openTap('left2', { hostAddress: '10.9.12.1/24' });
  setOffload(device.pollFd, ALL_OFFLOADS);
  closed(device);
  const holder = new Holder('left2', PLAIN_TAP);
  ip('neigh', 'replace', '10.9.12.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'left2');
  execFileSync(process.execPath, [
    '-e',
    `const s = require('dgram').createSocket('udp4'); s.send(Buffer.alloc(100), 9, '10.9.12.2', () => s.close())`,
  ]);
  let datagram: Uint8Array | undefined;
  for (;;) {
    const bytes = holder.receive();
    if (bytes === undefined) break;
    if (bytes.length === 142) datagram = bytes;
  }
  t.ok(datagram, 'it came');
  // RFC 768: the sum over pseudo-header, header and data is all ones.
  t.equal(udpSum((datagram as Uint8Array).subarray(14)), 0xffff, 'with a whole checksum');
  holder.close();
  t.end();
});

/** Of an IPv4 datagram without options. */
function udpSum(datagram: Uint8Array): number {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  let sum = 17 + (datagram.length - 20);
  for (let at = 12; at < datagram.length; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Whether a frame that the kernel's side sends comes out at ours. */
function passes(device: TapDevice): number[] {
  const socket = new PacketSocket(device.interfaceName, ETHERTYPE_TEST);
  socket.send(frame(7));
  const got = new TestHost(device)
    .receiveAll()
    .filter((bytes) => bytes.length === 60)
    .map(numberOf);
  socket.close();
  return got;
}

for (const [what, set] of [
  ['an address filter', (holder) => holder.addressFilter(Uint8Array.of(2, 0, 0, 0, 0, 0x99))],
  ['a socket filter', (holder) => holder.socketFilter()],
  ['eBPF programs, filter and steering', (holder) => holder.programs()],
  ['a small send buffer', (holder) => holder.sendBuffer(1)],
  ['no carrier', (holder) => holder.carrier(false)],
] as readonly (readonly [string, (holder: Holder) => unknown])[]) {
  t.test(`the last holder left ${what} → frames pass both ways`, { skip }, (t) => {
    made('left3');
    const holder = new Holder('left3', PLAIN_TAP);
    if (set(holder) === false) t.comment('no bpf(2) for us: nothing was left');
    holder.close();
    const device = openTap('left3');
    t.same(passes(device), [7]);
    const socket = new PacketSocket('left3', ETHERTYPE_TEST);
    t.equal(new TestHost(device).send(Array.from({ length: 50 }, (_, i) => frame(i, 1000))), 50, 'all accepted');
    let received = 0;
    while (socket.receive() !== undefined) received += 1;
    t.equal(received, 50);
    socket.close();
    closed(device);
    ip('link', 'del', 'left3');
    t.end();
  });
}

t.test('frames that waited for the last holder → not for us', { skip }, (t) => {
  made('left4');
  const holder = new Holder('left4', PLAIN_TAP);
  ip('link', 'set', 'left4', 'up');
  const socket = new PacketSocket('left4', ETHERTYPE_TEST);
  for (let i = 0; i < 5; i++) socket.send(frame(i));
  socket.close();
  holder.close();
  const device = openTap('left4');
  t.same(new TestHost(device).receiveAll(), []);
  t.same(passes(device), [7]);
  closed(device);
  t.end();
});

t.test('a queue of 0 frames → one that holds some, because the kernel would drop every frame', { skip }, (t) => {
  made('left5');
  ip('link', 'set', 'left5', 'txqueuelen', '0');
  const device = openTap('left5');
  t.match(ip('link', 'show', 'left5'), /qlen 4096/);
  t.same(passes(device), [7]);
  closed(device);
  t.end();
});

t.test('a queue of 0 frames, and no right to change it → EPERM, and what to do', { skip }, (t) => {
  made('left6', 'tap', 'user', String(NOBODY));
  ip('link', 'set', 'left6', 'txqueuelen', '0', 'up');
  t.match(
    said('tap:left6'),
    /^EPERM left6 has no queue, so every frame to us would be dropped\. As root: ip link set left6 txqueuelen 4096\n$/,
  );
  t.end();
});

t.test('an interface made for a group of others → EPERM, and what to do', { skip }, (t) => {
  made('left7', 'tap', 'group', '12345');
  t.match(said('tap:left7'), /^EPERM left7 belongs to another user or group: EPERM\. Run as root/);
  t.end();
});

t.test('the last holder had offloads, and we have no rights → taken back all the same', { skip }, async (t) => {
  made('left8', 'tap', 'user', String(NOBODY));
  const holder = new Holder('left8', PLAIN_TAP | Flag.IFF_VNET_HDR);
  holder.offload(ALL_OFFLOADS);
  holder.close();
  ip('link', 'set', 'left8', 'up');
  t.equal(said('tap:left8'), 'opened tap:left8\n');
  t.end();
});

/** What a program of nobody's says when it opens `name`. */
function said(name: string): string {
  const module = new URL('../../drivers/open.js', import.meta.url).href;
  const script = `import(${JSON.stringify(module)})
    .then(({ openDevice }) => console.log('opened', openDevice(${JSON.stringify(name)}).name))
    .catch((error) => console.log(error.code, error.message))`;
  const device = 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200';
  const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const command = ['unshare', '-m', 'sh', '-c', `${reveal()} && ${device} && exec "$@"`, 'sh', ...user];
  return execFileSync(command[0] as string, [...command.slice(1), process.execPath, '-e', script], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '' },
  });
}

t.test('the MTU grows while we are attached → longer frames are lost and counted; others pass', { skip }, (t) => {
  const device = openTap('grow0');
  ip('link', 'set', 'grow0', 'mtu', '4000');
  const socket = new PacketSocket('grow0', ETHERTYPE_TEST);
  socket.send(frame(1, 3000));
  socket.send(frame(2, 1000));
  t.same(
    new TestHost(device)
      .receiveAll()
      .filter((bytes) => bytes.length === 1000)
      .map(numberOf),
    [2],
  );
  t.equal(device.counters.dropsReceived, 1);
  t.equal(device.mtu, 1500, "the device's own stays");
  socket.close();
  closed(device);
  t.end();
});
