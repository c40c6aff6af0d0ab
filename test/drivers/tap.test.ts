import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { node as koffiNode } from 'koffi';
import t from 'tap';
import { formatMac } from '../../drivers/mac.js';
import { openTap, openTun, type TapDevice } from '../../drivers/tap.js';
import { Medium } from '../../stack/net/device.js';
import { NOBODY, reveal } from '../unprivileged.js';
import { ETHERTYPE_TEST, frame, frames, numberOf, TestHost } from './contract.js';
import { enterNamespace } from './namespace.js';
import { PacketSocket } from './packet-socket.js';
import { answerPing } from './ping-responder.js';

const run = promisify(execFile);
const skip = enterNamespace() ?? false;

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
function exists(name: string): boolean {
  return ip('-brief', 'link')
    .split('\n')
    .some((line) => line.startsWith(`${name} `));
}
function closed(device: TapDevice): void {
  device.close(new TestHost(device).slab);
}

t.test('a new name → created, up, and gone when closed', { skip }, (t) => {
  const device = openTap('new0', { mtu: 1400 });
  t.match(device, { name: 'tap:new0', interfaceName: 'new0', medium: Medium.ETHERNET, mtu: 1400, created: true });
  t.match(ip('link', 'show', 'new0'), /<.*\bUP\b.*> mtu 1400 /);
  t.match(ip('link', 'show', 'new0'), /qlen 4096/);
  t.ok(device.pollFd >= 0);
  t.notSame(device.mac, device.hostMac, "ours is not the kernel's");
  t.equal(
    device.hostMac.some((byte) => byte !== 0),
    true,
  );
  closed(device);
  t.notOk(exists('new0'));
  const again = openTap('new0');
  t.same(again.mac, device.mac, 'the same name, the same MAC address');
  t.equal(again.mtu, 1500);
  closed(again);
  t.end();
});

t.test('hostAddress → the kernel has it, with the route to its subnet', { skip }, (t) => {
  const device = openTap('host0', { hostAddress: '10.9.3.1/25' });
  t.match(ip('-4', 'addr', 'show', 'host0'), /inet 10\.9\.3\.1\/25 brd 10\.9\.3\.127 /);
  t.match(ip('route'), /10\.9\.3\.0\/25 dev host0 /);
  closed(device);
  t.end();
});

t.test('persistent → outlives us; attached to again, and removed when no longer wanted', { skip }, (t) => {
  closed(openTap('stay0', { persistent: true, mtu: 1300 }));
  t.ok(exists('stay0'));
  const device = openTap('stay0', { create: false });
  t.match(device, { created: false, mtu: 1300 });
  closed(device);
  t.ok(exists('stay0'), 'left alone unless told');
  closed(openTap('stay0', { persistent: false }));
  t.notOk(exists('stay0'));
  t.end();
});

t.test('an interface that root made beforehand → attached to, its MTU and queue kept', { skip }, (t) => {
  ip('tuntap', 'add', 'dev', 'made0', 'mode', 'tap');
  ip('link', 'set', 'made0', 'mtu', '1200', 'txqueuelen', '77', 'up');
  const device = openTap('made0');
  t.match(device, { created: false, mtu: 1200 });
  t.match(ip('link', 'show', 'made0'), /qlen 77/);
  closed(device);
  ip('link', 'del', 'made0');
  t.end();
});

t.test("a MAC address → taken; the kernel's own and one that is none → refused", { skip }, (t) => {
  const mac = Uint8Array.of(2, 1, 2, 3, 4, 5);
  const device = openTap('mac0', { mac, persistent: true });
  t.same(device.mac, mac);
  closed(device);
  t.throws(() => openTap('mac0', { mac: device.hostMac }), {
    code: 'EADDRINUSE',
    message: /kernel's own address on mac0/,
  });
  closed(openTap('mac0', { persistent: false }));
  for (const wrong of [Uint8Array.of(1, 0, 0, 0, 0, 0), new Uint8Array(6), new Uint8Array(5)]) {
    t.throws(() => openTap('mac0', { mac: wrong }), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: /mac is no station address/,
    });
  }
  t.end();
});

t.test('a name that is attached elsewhere → EBUSY, and what to do', { skip }, (t) => {
  const device = openTap('busy0');
  t.throws(() => openTap('busy0'), {
    code: 'EBUSY',
    message: 'busy0 is in use by another program: EBUSY. Stop that one, or choose another name',
  });
  t.ok(exists('busy0'), 'the other one is unharmed');
  closed(device);
  t.end();
});

t.test('names of other things → refused, saying what they are', { skip }, (t) => {
  t.throws(() => openTap('lo'), {
    code: 'EINVAL',
    message: /^lo exists and is not a plain tap but something else: EINVAL/,
  });
  ip('tuntap', 'add', 'dev', 'other0', 'mode', 'tun');
  t.throws(() => openTap('other0'), {
    code: 'EINVAL',
    message: /^other0 exists and is not a plain tap but a tun: EINVAL/,
  });
  ip('tuntap', 'del', 'dev', 'other0', 'mode', 'tun');
  ip('tuntap', 'add', 'dev', 'other1', 'mode', 'tap', 'multi_queue');
  t.throws(() => openTap('other1'), {
    code: 'EINVAL',
    message: /but a tap with several queues: EINVAL\. Choose another name, or make it again without "multi_queue"$/,
  });
  ip('tuntap', 'del', 'dev', 'other1', 'mode', 'tap', 'multi_queue');
  t.throws(() => openTap('absent0', { create: false }), {
    code: 'ENODEV',
    message: /^There is no interface absent0\. As root: ip tuntap add dev absent0 mode tap user /,
  });
  t.notOk(exists('absent0'));
  t.end();
});

t.test('bad options → refused, and nothing is left behind', { skip }, (t) => {
  for (const [options, message] of [
    [{ mtu: 67 }, /^mtu is 67: allowed is a whole number from 68 to 65521/],
    [{ mtu: 1500.5 }, /^mtu is 1500\.5/],
    [{ queueFrames: 0 }, /^queueFrames is 0: allowed is a whole number from 1 to /],
    [{ hostAddress: '10.0.0.1' }, /^"10\.0\.0\.1" is no host address: give an IPv4 address and a prefix length/],
    [{ hostAddress: '10.0.0.256/24' }, /is no host address/],
    [{ hostAddress: '10.0.0.1/33' }, /is no host address/],
    [{ hostAddress: '0.0.0.0/8' }, /is no host address/],
    [{ hostAddress: '224.0.0.1/24' }, /is no host address/],
  ] as const) {
    t.throws(() => openTap('bad0', options), { code: /^ERR_/, message });
  }
  t.notOk(exists('bad0'));
  t.end();
});

const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
/** A /dev of the child's own, in a mount namespace, with a TUN driver that everybody may open. */
const OPEN_TO_ALL = 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200';

/** What a program of its own says when it opens `name`, started by `before` and with `prepare` done to its mounts. */
function said(name: string, before: readonly string[], prepare = 'true'): string {
  const module = new URL('../../drivers/open.js', import.meta.url).href;
  const script = `import(${JSON.stringify(module)})
    .then(({ openDevice }) => console.log('opened', openDevice(${JSON.stringify(name)}).name))
    .catch((error) => console.log(error.code, error.message))`;
  const command = [...before, process.execPath, '-e', script];
  return execFileSync('unshare', ['-m', 'sh', '-c', `${reveal()} && ${prepare} && exec "$@"`, 'sh', ...command], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '' },
  });
}

t.test('no rights to the driver → EACCES, and what to do', { skip }, (t) => {
  const prepare = `${OPEN_TO_ALL} && chmod 600 /dev/net/tun`;
  t.match(
    said('tap:deny0', AS_NOBODY, prepare),
    /^EACCES \/dev\/net\/tun cannot be opened: EACCES\. Run as root.*ip tuntap add/,
  );
  t.notOk(exists('deny0'));
  t.end();
});

t.test('rights to the driver, none to make interfaces → EPERM, and what to do', { skip }, (t) => {
  t.match(
    said('tap:deny1', AS_NOBODY, OPEN_TO_ALL),
    /^EPERM deny1 cannot be created without CAP_NET_ADMIN: EPERM\. Run as root, or as root once: ip tuntap add dev deny1 mode tap user YOU/,
  );
  t.notOk(exists('deny1'));
  t.end();
});

t.test('an interface made for this user → opened without privileges; one made for another → EPERM', { skip }, (t) => {
  ip('tuntap', 'add', 'dev', 'theirs0', 'mode', 'tap', 'user', '65534');
  ip('link', 'set', 'theirs0', 'up');
  ip('tuntap', 'add', 'dev', 'theirs1', 'mode', 'tap', 'user', '12345');
  t.equal(said('tap:theirs0', AS_NOBODY, OPEN_TO_ALL), 'opened tap:theirs0\n');
  t.match(
    said('tap:theirs1', AS_NOBODY, OPEN_TO_ALL),
    /^EPERM theirs1 belongs to another user or group: EPERM\. Run as root/,
  );
  ip('link', 'set', 'theirs0', 'down');
  t.match(
    said('tap:theirs0', AS_NOBODY, OPEN_TO_ALL),
    /^EPERM theirs0 cannot be brought up: EPERM\. .*ip link set theirs0 up/,
  );
  ip('link', 'del', 'theirs0');
  ip('link', 'del', 'theirs1');
  t.end();
});

t.test('no /dev/net/tun → ENOENT, and what to do', { skip }, (t) => {
  t.match(
    said('tap:none0', [], 'mount -t tmpfs none /dev/net'),
    /^ENOENT \/dev\/net\/tun cannot be opened: ENOENT\. Load the driver as root \("modprobe tun"\)/,
  );
  t.end();
});

t.test('the interface is down → what is sent is dropped and counted; up again, it works', { skip }, (t) => {
  const device = openTap('down0');
  const host = new TestHost(device);
  ip('link', 'set', 'down0', 'down');
  t.equal(host.send(frames(0, 3)), 3);
  t.match(device.counters, { framesSent: 0, dropsSent: 3 });
  t.equal(host.slab.freeCount, host.slab.slots);
  ip('link', 'set', 'down0', 'up');
  const socket = new PacketSocket('down0', ETHERTYPE_TEST);
  host.send([frame(9)]);
  t.equal(numberOf(socket.receive() as Uint8Array), 9);
  t.equal(device.failure, null);
  socket.close();
  closed(device);
  t.end();
});

t.test('the interface is deleted under us → the device fails once, says so, and drops', { skip }, (t) => {
  const device = openTap('gone0');
  const host = new TestHost(device);
  ip('link', 'del', 'gone0');
  t.same(host.receive(), []);
  t.match(device.failure, { code: 'EIO', message: /^tap:gone0 no longer works: EBADFD\. Was the interface deleted\?/ });
  t.equal(host.send(frames(0, 2)), 2);
  t.equal(device.counters.dropsSent, 2);
  t.equal(host.slab.freeCount, host.slab.slots);
  device.close(host.slab);
  t.end();
});

t.test('a malformed frame is sent → the kernel refuses it; the device counts and goes on', { skip }, (t) => {
  const device = openTap('short0');
  const host = new TestHost(device);
  t.equal(host.send([frame(1).slice(0, 13), frame(2)]), 2);
  t.match(device.counters, { framesSent: 1, dropsSent: 1 });
  closed(device);
  t.end();
});

for (const drain of ['adaptive', 'always', 'never'] as const) {
  t.test(`drain: ${drain}; frames one by one, then in bursts → none is left behind`, { skip }, (t) => {
    const device = openTap(`drain-${drain}`, { drain });
    const host = new TestHost(device);
    const socket = new PacketSocket(device.interfaceName, ETHERTYPE_TEST);
    const got: number[] = [];
    let receives = 0;
    let number = 0;
    const burst = (count: number) => {
      for (const bytes of frames(number, count)) socket.send(bytes);
      number += count;
      for (;;) {
        const some = host.receive();
        receives += 1;
        if (some.length === 0) return;
        got.push(...some.map(numberOf));
      }
    };
    for (let i = 0; i < 40; i++) burst(1);
    const receivesSingle = receives;
    for (let i = 0; i < 10; i++) burst(20);
    t.same(
      got,
      Array.from({ length: number }, (_, i) => i),
    );
    t.equal(receivesSingle, 80);
    if (drain === 'always') t.equal(receives - receivesSingle, 20, 'a burst in one go');
    else if (drain === 'never') t.equal(receives - receivesSingle, 210, 'a frame at a time');
    else
      t.ok(
        receives - receivesSingle <= 20 + 16,
        `bursts are noticed after 16 receives at most: ${receives - receivesSingle}`,
      );
    socket.close();
    closed(device);
    t.end();
  });
}

t.test(
  'drain: adaptive; after many lone frames, long ones in a burst → read in one go, and so is what follows',
  { skip },
  (t) => {
    const device = openTap('drain-long');
    const host = new TestHost(device);
    const socket = new PacketSocket(device.interfaceName, ETHERTYPE_TEST);
    const burst = (count: number, length: number) => {
      for (const bytes of frames(0, count, length)) socket.send(bytes);
      return host.receive().length;
    };
    for (let i = 0; i < 4; i++) t.equal(burst(1, 60), 1);
    t.equal(burst(2, 60), 1, 'four times alone: the fifth is taken to be');
    t.equal(host.receive().length, 1);
    t.equal(burst(20, 1000), 20);
    t.equal(burst(20, 60), 20);
    socket.close();
    closed(device);
    t.end();
  },
);

t.test(
  'drain: adaptive; after pairs of frames, more → a pair is taken for all, and what is left wakes again',
  { skip },
  (t) => {
    const device = openTap('drain-pairs');
    const host = new TestHost(device);
    const socket = new PacketSocket(device.interfaceName, ETHERTYPE_TEST);
    const burst = (count: number) => {
      for (const bytes of frames(0, count, 60)) socket.send(bytes);
      return host.receive().length;
    };
    for (let i = 0; i < 4; i++) t.equal(burst(2), 2);
    t.equal(burst(3), 2, 'four pairs: the fifth is taken to be all');
    t.equal(burst(1), 2, 'the frame left behind, and the next');
    t.equal(burst(1), 1, 'one alone: the queue is found empty, and pairs are no more expected');
    t.equal(burst(5), 5);
    for (let i = 0; i < 20; i++) burst(4);
    t.equal(burst(5), 5, 'four are not few');
    socket.close();
    closed(device);
    t.end();
  },
);

t.test("tun → IP packets without a link header; the kernel's ping is answered", { skip }, async (t) => {
  const device = openTun('tun0', { hostAddress: '10.9.5.1/24' });
  t.match(device, { name: 'tun:tun0', medium: Medium.IP, mac: new Uint8Array(6) });
  t.same(await pingThrough(device, '10.9.5.2'), [3, 3, 3]);
  closed(device);
  t.ok(device.counters.framesSent >= 3);
  t.end();
});

t.test('tun, the largest MTU → 65,535, and a datagram as long both ways', { skip }, async (t) => {
  t.throws(() => openTun('tun1', { mtu: 65_536 }), { code: 'ERR_OUT_OF_RANGE', message: /from 68 to 65535/ });
  const device = openTun('tun1', { hostAddress: '10.9.6.1/24', mtu: 65_535 });
  t.equal(device.mtu, 65_535);
  t.match(ip('link', 'show', 'tun1'), / mtu 65535 /);
  // Header and ICMP header are 28 bytes: each request and each answer is one datagram of 65,535.
  t.same(await pingThrough(device, '10.9.6.2', [65_507]), [3]);
  closed(device);
  t.end();
});

t.test("tap, the kernel's ping → answered by hand, ARP and ICMP, of every size", { skip }, async (t) => {
  const device = openTap('ping0', { hostAddress: '10.9.4.1/24' });
  t.same(await pingThrough(device, '10.9.4.2'), [3, 3, 3]);
  t.match(ip('neigh', 'show', 'dev', 'ping0'), `10.9.4.2 lladdr ${formatMac(device.mac)}`);
  closed(device);
  t.end();
});

/** Pings `address` from the kernel, with each size, while a loop on the descriptor answers. How many answers each got. */
async function pingThrough(device: TapDevice, address: string, sizes = [0, 56, 1472]): Promise<number[]> {
  const host = new TestHost(device, { slotBytes: 2 ** Math.ceil(Math.log2(128 + device.mtu)), slots: 64 });
  const poll = koffiNode.poll(device.pollFd, { readable: true }, () => {
    for (const bytes of host.receive()) {
      const answer = answerPing(bytes, device.medium, device.mac);
      if (answer !== undefined) host.send([answer]);
    }
  });
  try {
    // After its last request ping waits for one interval or two round trips, whatever -W says. A hundredth of a second was too short on a
    // busy machine.
    const ping = (size: number) => run('ping', ['-n', '-c', '3', '-i', '0.2', '-W', '5', '-s', `${size}`, address]);
    const outputs = await Promise.all(sizes.map(ping));
    return outputs.map(({ stdout }) => Number(/(\d+) received/.exec(stdout)?.[1]));
  } finally {
    poll.close();
  }
}
