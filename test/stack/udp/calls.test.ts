import t from 'tap';
import type { UdpId } from '../../../stack/base/units.js';
import { UdpOption } from '../../../stack/udp/options.js';
import { Udp } from '../../../stack/udp/udp.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { type UdpHost, udpPair } from './udp-pair.js';

/** Every call of `Udp` on every kind of socket, and on ids that name none. */

type Result = string | number | undefined;
type Kind = 'unbound' | 'bound' | 'connected' | 'with a datagram';
const KINDS: readonly Kind[] = ['unbound', 'bound', 'connected', 'with a datagram'];

const eight = new Uint8Array(8);

/** The call, and what it returns or fails with. */
const CALLS: Readonly<Record<string, readonly [(host: UdpHost, id: UdpId) => unknown, (kind: Kind) => Result]>> = {
  connect: [({ udp }, id) => udp.connect(id, hosts.a.at('10.0.0.2'), 9), () => undefined],
  'connect to no port': [({ udp }, id) => udp.connect(id, hosts.a.at('10.0.0.2'), 0), () => 'ERR_OUT_OF_RANGE'],
  disconnect: [({ udp }, id) => udp.disconnect(id), (kind) => (kind === 'connected' ? undefined : 'ENOTCONN')],
  send: [({ udp }, id) => udp.send(id, eight, 0, 8), (kind) => (kind === 'connected' ? Verdict.OK : 'EDESTADDRREQ')],
  'send to somebody': [({ udp }, id) => udp.send(id, eight, 0, 8, hosts.a.at('10.0.0.2'), 9), () => Verdict.OK],
  'send of a range that is none': [({ udp }, id) => udp.send(id, eight, 0.5, 8), () => 'ERR_OUT_OF_RANGE'],
  receive: [({ udp }, id) => udp.receive(id, eight, 0, 8), (kind) => (kind === 'with a datagram' ? 3 : -1)],
  'receive into a range that is none': [({ udp }, id) => udp.receive(id, eight, 0, 9), () => 'ERR_OUT_OF_RANGE'],
  peek: [({ udp }, id) => udp.peek(id, eight, 0, 8), (kind) => (kind === 'with a datagram' ? 3 : -1)],
  'peek into a range that is none': [({ udp }, id) => udp.peek(id, eight, 1.5, 2), () => 'ERR_OUT_OF_RANGE'],
  readable: [({ udp }, id) => udp.readable(id), (kind) => (kind === 'with a datagram' ? 3 : -1)],
  close: [({ udp }, id) => udp.close(id), () => undefined],
  takeError: [({ udp }, id) => udp.takeError(id), () => undefined],
  setOption: [({ udp }, id) => udp.setOption(id, UdpOption.TTL, 5), () => undefined],
  'setOption out of range': [({ udp }, id) => udp.setOption(id, UdpOption.TTL, 256), () => 'ERR_OUT_OF_RANGE'],
  getOption: [({ udp }, id) => udp.getOption(id, UdpOption.TTL), () => 64],
  localAddress: [({ udp }, id) => udp.localAddress(id), (kind) => (kind === 'connected' ? hosts.a.at('10.0.0.1') : 0)],
  localPort: [({ udp }, id) => Math.sign(udp.localPort(id)), (kind) => (kind === 'unbound' ? 0 : 1)],
  remoteAddress: [
    ({ udp }, id) => udp.remoteAddress(id),
    (kind) => (kind === 'connected' ? hosts.a.at('10.0.0.2') : 0),
  ],
  remotePort: [({ udp }, id) => udp.remotePort(id), (kind) => (kind === 'connected' ? 9 : 0)],
  queuedBytes: [({ udp }, id) => Math.sign(udp.queuedBytes(id)), (kind) => (kind === 'with a datagram' ? 1 : 0)],
  drops: [({ udp }, id) => udp.drops(id), () => 0],
  memoryBytes: [({ udp }, id) => udp.memoryBytes(id), (kind) => (kind === 'with a datagram' ? 4096 : 0)],
  rowOf: [({ udp }, id) => udp.rowOf(id), () => 0],
};
/** They name no socket, or are the network's. */
const OTHERS = ['constructor', 'open', 'idOf', 'sockets', 'pools', 'input', 'error'];

let hosts = udpPair();

function outcome(call: () => unknown): Result {
  try {
    return call() as Result;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** The only socket of a fresh host. */
function make(kind: Kind): UdpId {
  hosts = udpPair();
  const { pair, a, b } = hosts;
  if (kind === 'unbound') return a.udp.open();
  const id = a.udp.open({ port: 7 });
  if (kind === 'connected') a.udp.connect(id, a.at('10.0.0.2'), 9);
  if (kind === 'with a datagram') {
    b.send(b.udp.open(), 'one', '10.0.0.1', 7);
    pair.run();
  }
  return id;
}

t.test('Udp → each of its methods stands in a table of this file', (t) => {
  const known = new Set(Object.keys(CALLS).map((name) => name.split(' ')[0]));
  for (const name of Object.getOwnPropertyNames(Udp.prototype))
    t.ok(known.has(name) !== OTHERS.includes(name), `${name} has a row, or names no socket`);
  t.end();
});

for (const kind of KINDS) {
  t.test(`a socket, ${kind} → each call does what is documented, and close gives all back`, (t) => {
    for (const [name, [call, expect]] of Object.entries(CALLS)) {
      const id = make(kind);
      t.equal(
        outcome(() => call(hosts.a, id)),
        expect(kind),
        name,
      );
      hosts.pair.run();
      outcome(() => hosts.a.udp.close(id));
      t.same([...hosts.a.udp.sockets()], [], 'nothing is open');
      t.equal(hosts.a.host.slab.freeCount, hosts.a.host.slotsAtStart);
      const again = hosts.a.udp.open({ port: 7 });
      t.equal(hosts.a.udp.readable(again), -1, 'the port is free, and nothing of the old socket waits');
    }
    t.end();
  });
}

t.test('ids that name no socket → EBADF from every call, and nothing changes', (t) => {
  const id = make('bound');
  const { udp } = hosts.a;
  const closed = udp.open();
  udp.close(closed);
  const stale = udp.open();
  udp.close(stale);
  const reused = udp.open();
  t.equal(udp.rowOf(reused), stale % 2 ** 24);
  const ids = [closed, stale, 0, -1, -reused, Number.NaN, reused + 0.0625, 1.5, 2 ** 24 + 1e6, 2 ** 52, 2 ** 60];
  for (const [name, [call]] of Object.entries(CALLS)) {
    for (const stranger of [...ids, Number.POSITIVE_INFINITY, undefined])
      t.equal(
        outcome(() => call(hosts.a, stranger as UdpId)),
        'EBADF',
        `${name}, ${stranger}`,
      );
  }
  t.same([...udp.sockets()], [id, reused]);
  t.end();
});
