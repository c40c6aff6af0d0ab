import t, { type Test } from 'tap';
import { Channels } from '../../../src/node/channels.js';
import { DatagramSocket } from '../../../src/node/datagram-socket.js';
import { Listener } from '../../../src/node/listener.js';
import { Acceptor, Connector } from '../../../src/reactor/acceptor.js';
import { Reactor } from '../../../src/reactor/reactor.js';
import type { Address } from '../../../stack/base/units.js';
import { Medium } from '../../../stack/net/device.js';
import { Event, SocketKind } from '../../../stack/net/event-queue.js';
import { Network } from '../../../stack/net/network.js';
import { RENO } from '../../../stack/tcp/reno.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { Tcp } from '../../../stack/tcp/tcp.js';
import { UdpOption } from '../../../stack/udp/options.js';
import { Udp } from '../../../stack/udp/udp.js';
import { type Kind, SilentWorld } from './silent-world.js';

/**
 * Every call that a program can make between two turns, after ten minutes in which nobody took one: what it stamps and arms
 * has the time of the call or of the sending, never that of the last turn. A method without a row here fails the test.
 */

type Call = (w: SilentWorld) => void;
type Rows = Readonly<Record<string, Call | typeof OWN>>;
/** Whoever takes a turn calls it, and no program. */
const OWN = 'a part of the turn';

const SERVICE = { open: () => 0, handleEvent() {} };
const OWNER = {
  channelData() {},
  channelEnd() {},
  channelFailed() {},
  channelConnected() {},
  channelWritten() {},
};
const LONE = 0x0a000009 as Address;
/** Keepalive by its default: a first probe after a second of silence would be due at once, and rightly. */
const VALUES: Partial<Record<TcpOption, number>> = {
  [TcpOption.RECEIVE_BYTES]: 9000,
  [TcpOption.SEND_BYTES]: 9000,
  [TcpOption.KEEPALIVE_IDLE_MS]: 7_200_000,
  [TcpOption.RTO_MAX_MS]: 60_000,
  [TcpOption.RTO_MIN_MS]: 100,
  [TcpOption.DELAYED_ACK_MAX_MS]: 100,
};

const TCP: Rows = {
  pools: (w) => w.stack.tcp.pools(),
  input: OWN,
  error: OWN,
  advance: OWN,
  msToNext: OWN,
  flush: OWN,
  mayGoOn: OWN,
  listen: (w) => w.stack.tcp.listen({ port: 90 }),
  accept: (w) => t.not(w.stack.tcp.accept(w.listener), 0),
  closeListener: (w) => w.stack.tcp.closeListener(w.listener),
  listenerInfo: (w) => w.stack.tcp.listenerInfo(w.listener),
  mayOpenFast: (w) => w.stack.tcp.mayOpenFast(w.peerAddress),
  open: (w) => w.stack.tcp.open({ remoteAddress: w.peerAddress, remotePort: 80, fastOpen: {} }),
  send: (w) => t.equal(w.stack.tcp.send(w.open, w.buffer), w.buffer.length),
  receive: (w) => t.equal(w.stack.tcp.receive(w.unread, w.buffer), 1),
  markUrgent: (w) => {
    w.stack.tcp.send(w.open, w.buffer);
    w.stack.tcp.markUrgent(w.open);
  },
  shutdown: (w) => w.stack.tcp.shutdown(w.open),
  shutdownReceive: (w) => w.stack.tcp.shutdownReceive(w.open),
  closeLingering: (w) => w.stack.tcp.closeLingering(w.open),
  close: (w) => {
    for (const id of [w.open, w.unread, w.half]) w.stack.tcp.close(id);
  },
  abort: (w) => {
    for (const id of [w.open, w.unread, w.half]) w.stack.tcp.abort(id);
  },
  readable: (w) => w.stack.tcp.readable(w.unread),
  writable: (w) => w.stack.tcp.writable(w.open),
  unsent: (w) => w.stack.tcp.unsent(w.open),
  unacknowledged: (w) => w.stack.tcp.unacknowledged(w.open),
  state: (w) => w.stack.tcp.state(w.half),
  info: (w) => {
    w.stack.tcp.setOption(w.unread, TcpOption.NODELAY, 1);
    t.ok(w.stack.tcp.info(w.unread).lastDataRecvMs >= 600_000, 'counted from the call');
  },
  setOption: (w) => {
    for (const option of Object.values(TcpOption)) {
      if ([TcpOption.MAX_SEGMENT, TcpOption.FAST_OPEN_QUEUE].includes(option)) continue;
      w.stack.tcp.setOption(w.unread, option, VALUES[option] ?? 1);
    }
  },
  getOption: (w) => w.stack.tcp.getOption(w.open, TcpOption.NODELAY),
  registerCongestionControl: (w) => w.stack.tcp.registerCongestionControl({ ...RENO, name: 'mine' }),
  congestionControls: (w) => w.stack.tcp.congestionControls,
  setCongestion: (w) => {
    for (const name of w.stack.tcp.congestionControls) w.stack.tcp.setCongestion(w.open, name);
  },
  congestionOf: (w) => w.stack.tcp.congestionOf(w.open),
  takeError: (w) => w.stack.tcp.takeError(w.open),
  takeNotice: (w) => w.stack.tcp.takeNotice(w.open),
  localAddress: (w) => w.stack.tcp.localAddress(w.open),
  remoteAddress: (w) => w.stack.tcp.remoteAddress(w.open),
  localPort: (w) => w.stack.tcp.localPort(w.open),
  remotePort: (w) => w.stack.tcp.remotePort(w.open),
  rowOf: (w) => w.stack.tcp.rowOf(w.open),
  idOf: (w) => w.stack.tcp.idOf(0),
  listenerOf: (w) => w.stack.tcp.listenerOf(0),
  counts: (w) => w.stack.tcp.counts,
  connections: (w) => [...w.stack.tcp.connections()],
  listeners: (w) => [...w.stack.tcp.listeners()],
};

const UDP: Rows = {
  open: (w) => w.stack.udp.open({ port: 1000 }),
  connect: (w) => w.stack.udp.connect(w.udp, w.peerAddress, 9),
  disconnect: (w) => w.stack.udp.disconnect(w.paired),
  send: (w) => {
    // To a neighbour that was there before, and to one nobody knows.
    w.stack.udp.send(w.paired, w.buffer, 0, 10);
    w.stack.udp.send(w.udp, w.buffer, 0, 10, LONE, 9);
  },
  receive: (w) => t.equal(w.stack.udp.receive(w.paired, w.buffer, 0, 100), 10),
  peek: (w) => w.stack.udp.peek(w.paired, w.buffer, 0, 100),
  readable: (w) => w.stack.udp.readable(w.paired),
  close: (w) => w.stack.udp.close(w.paired),
  takeError: (w) => w.stack.udp.takeError(w.udp),
  setOption: (w) => w.stack.udp.setOption(w.udp, UdpOption.TTL, 3),
  getOption: (w) => w.stack.udp.getOption(w.udp, UdpOption.TTL),
  localAddress: (w) => w.stack.udp.localAddress(w.udp),
  localPort: (w) => w.stack.udp.localPort(w.udp),
  remoteAddress: (w) => w.stack.udp.remoteAddress(w.paired),
  remotePort: (w) => w.stack.udp.remotePort(w.paired),
  queuedBytes: (w) => w.stack.udp.queuedBytes(w.paired),
  drops: (w) => w.stack.udp.drops(w.paired),
  memoryBytes: (w) => w.stack.udp.memoryBytes(w.paired),
  pools: (w) => w.stack.udp.pools(),
  rowOf: (w) => w.stack.udp.rowOf(w.udp),
  idOf: (w) => w.stack.udp.idOf(0),
  sockets: (w) => [...w.stack.udp.sockets()],
  input: OWN,
  error: OWN,
};

const NET: Rows = {
  addInterface: (w) =>
    w.stack.net.addInterface({
      name: 'more',
      medium: Medium.IP,
      addresses: [{ address: 0x0a010001 as Address, prefixLength: 24 }],
    }),
  addAddress: (w) => w.stack.net.addAddress(0, 0x0a000005 as Address, 24),
  removeAddress: (w) => w.stack.net.removeAddress(0, 0x0a000001 as Address),
  setUp: (w) => {
    w.stack.net.setUp(0, false);
    w.stack.net.setUp(0, true);
  },
  addRoute: (w) => w.stack.net.addRoute({ destination: 0x0b000000 as Address, prefixLength: 8, iface: 0 }),
  removeRoute: (w) => w.stack.net.removeRoute({ destination: 0x0a000000 as Address, prefixLength: 24, iface: 0 }),
  register: OWN,
  parseAddress: (w) => w.stack.net.parseAddress('10.0.0.1'),
  formatAddress: (w) => w.stack.net.formatAddress(LONE),
  receive: OWN,
  advance: OWN,
  msToNext: OWN,
  localWaiting: OWN,
  finishFlush: OWN,
  deliverLocal: OWN,
  takeSegment: (w) => w.stack.net.giveSegment(w.stack.net.takeSegment()),
  giveSegment: (w) => w.stack.net.giveSegment(w.stack.net.takeSegment()),
  wayTo: (w) => w.stack.net.wayTo(w.peerAddress),
  roomOn: (w) => w.stack.net.roomOn(0),
  roomTo: (w) => w.stack.net.roomTo(w.peerAddress),
  output: (w) => {
    w.stack.net.output(w.stack.net.takeSegment(), 10, 200, 0x0a000001 as Address, LONE, 0, 64, 0);
  },
  outputFrom: (w) => {
    w.stack.net.outputFrom(w.buffer, 0, 10, 200, 0x0a000001 as Address, LONE, 0, 64, 0, 0);
  },
  pseudoHeaderSum: (w) => w.stack.net.pseudoHeaderSum(LONE, LONE, 6, 20),
  sourceFor: (w) => w.stack.net.sourceFor(LONE),
  hasRoute: (w) => w.stack.net.hasRoute(LONE),
  isLocal: (w) => w.stack.net.isLocal(LONE),
  isBroadcast: (w) => w.stack.net.isBroadcast(LONE),
  isMulticast: (w) => w.stack.net.isMulticast(LONE),
  pathMtu: (w) => w.stack.net.pathMtu(LONE),
  interfaceMtu: (w) => w.stack.net.interfaceMtu(LONE),
  headerBytes: (w) => w.stack.net.headerBytes(LONE),
  confirmReachable: (w) => w.stack.net.confirmReachable(w.peerAddress),
  doubtReachable: (w) => w.stack.net.doubtReachable(w.peerAddress),
  lowerPathMtu: (w) => w.stack.net.lowerPathMtu(w.peerAddress, 1000),
  sendPortUnreachable: OWN,
  sendIcmpError: OWN,
  sendEcho: (w) => {
    w.stack.net.sendEcho(w.peerAddress, 1, 1, 10);
    w.stack.net.sendEcho(LONE, 1, 2, 10);
  },
  nextEcho: (w) => w.stack.net.nextEcho(),
  echoResult: (w) => w.stack.net.echoResult,
  reassemblies: (w) => w.stack.net.reassemblies,
  pools: (w) => w.stack.net.pools(),
};

/** A channel of Node's sockets on a connection that has rested with the others. */
function channel(w: SilentWorld, call: (channels: Channels, row: number) => unknown): void {
  const channels = new Channels(w.host);
  call(channels, channels.accept(OWNER, w.unread));
}
/** A channel without a connection. */
function fresh(w: SilentWorld, call: (channels: Channels, row: number) => unknown): void {
  const channels = new Channels(w.host);
  call(channels, channels.add(OWNER));
}

const CHANNELS: Rows = {
  add: (w) => fresh(w, () => {}),
  accept: (w) => channel(w, () => {}),
  isOpen: (w) => channel(w, (channels, row) => channels.isOpen(row)),
  isAccepted: (w) => channel(w, (channels, row) => channels.isAccepted(row)),
  isConnecting: (w) => channel(w, (channels, row) => channels.isConnecting(row)),
  bytesWritten: (w) => channel(w, (channels, row) => channels.bytesWritten(row)),
  pendingBytes: (w) => channel(w, (channels, row) => channels.pendingBytes(row)),
  bind: (w) => fresh(w, (channels, row) => channels.bind(row, '10.0.0.1', 5000)),
  connect: (w) => fresh(w, (channels, row) => channels.connect(row, '10.0.0.2', 80)),
  readStart: (w) => channel(w, (channels, row) => channels.readStart(row)),
  readStop: (w) => channel(w, (channels, row) => channels.readStop(row)),
  limitReads: (w) => channel(w, (channels, row) => channels.limitReads(row, 10)),
  nodeReads: (w) => channel(w, (channels, row) => channels.nodeReads(row)),
  setNodeReads: (w) => channel(w, (channels, row) => channels.setNodeReads(row, true)),
  write: (w) => channel(w, (channels, row) => t.ok(channels.write(row, [w.buffer]))),
  writeSome: (w) => channel(w, (channels, row) => channels.writeSome(row, w.buffer, 10)),
  writeRest: (w) => channel(w, (channels, row) => channels.writeRest(row, w.buffer)),
  shutdown: (w) => channel(w, (channels, row) => channels.shutdown(row)),
  close: (w) => channel(w, (channels, row) => channels.close(row)),
  reset: (w) => channel(w, (channels, row) => channels.reset(row)),
  setOption: (w) => channel(w, (channels, row) => channels.setOption(row, TcpOption.NODELAY, 1)),
  getOption: (w) => channel(w, (channels, row) => channels.getOption(row, TcpOption.NODELAY)),
  setKeepAlive: (w) => channel(w, (channels, row) => channels.setKeepAlive(row, true, 1000)),
  localEndpoint: (w) => channel(w, (channels, row) => channels.localEndpoint(row, {})),
  remoteEndpoint: (w) => channel(w, (channels, row) => channels.remoteEndpoint(row, {})),
  isReferenced: (w) => channel(w, (channels, row) => channels.isReferenced(row)),
  setReferenced: (w) => channel(w, (channels, row) => channels.setReferenced(row, false)),
  handleEvent: (w) => channel(w, (channels, row) => channels.handleEvent(w.unread, Event.READABLE, row)),
};

const DATAGRAM: Rows = {
  bind: (w) => socket(w).bind(5000),
  connect: (w) => socket(w).connect(9, '10.0.0.2'),
  disconnect: (w) => t.throws(() => socket(w).disconnect()),
  send: (w) => socket(w).send(w.buffer, 0, 10, 9, '10.0.0.9'),
  address: (w) => t.throws(() => socket(w).address()),
  remoteAddress: (w) => t.throws(() => socket(w).remoteAddress()),
  close: (w) => socket(w).close(),
  setBroadcast: (w) => bound(w).setBroadcast(true),
  setTTL: (w) => bound(w).setTTL(3),
  setMulticastTTL: (w) => bound(w).setMulticastTTL(3),
  setRecvBufferSize: (w) => bound(w).setRecvBufferSize(1000),
  getRecvBufferSize: (w) => bound(w).getRecvBufferSize(),
  ref: (w) => socket(w).ref(),
  unref: (w) => socket(w).unref(),
  handleEvent: (w) => bound(w).handleEvent(0, Event.READABLE),
};
function socket(w: SilentWorld): DatagramSocket {
  return new DatagramSocket(w.host, { type: 'udp4' });
}
function bound(w: SilentWorld): DatagramSocket {
  return socket(w).bind(5000);
}

function listening(w: SilentWorld): Listener {
  const listener = new Listener(w.host, '10.0.0.1', 5000, () => {});
  listener.listen(5);
  return listener;
}
const LISTENER: Rows = {
  listening: (w) => listening(w).listening,
  listen: (w) => listening(w),
  handleEvent: (w) => listening(w).handleEvent(),
  close: (w) => listening(w).close(),
  referenced: (w) => {
    listening(w).referenced = false;
  },
  endpoint: (w) => listening(w).endpoint({}),
};

const ACCEPTOR: Rows = {
  handleEvent: (w) => new Acceptor(w.stack, w.host.reactor, { port: 5000 }, SERVICE).handleEvent(),
  close: (w) => new Acceptor(w.stack, w.host.reactor, { port: 5000 }, SERVICE).close(),
};
const CONNECTOR: Rows = {
  connect: (w) => connect(w),
  handleEvent: (w) => connect(w),
};
function connect(w: SilentWorld): void {
  new Connector(w.stack, w.host.reactor, SERVICE).connect({ remoteAddress: w.peerAddress, remotePort: 80 });
}

const REACTOR: Rows = {
  registerHandler: (w) => register(w),
  removeHandler: (w) => {
    register(w);
    w.host.reactor.removeHandler(SocketKind.CONNECTION, w.unread);
  },
  setMask: (w) => {
    register(w);
    w.host.reactor.setMask(SocketKind.CONNECTION, w.unread, Event.WRITABLE);
  },
  raise: (w) => w.host.reactor.raise(SocketKind.CONNECTION, w.unread, Event.READABLE),
  isOpen: (w) => w.host.reactor.isOpen(SocketKind.CONNECTION, w.unread),
  handleEvents: OWN,
};
/** A handler that reads, and answers. */
function register(w: SilentWorld): void {
  const handleEvent = (): void => {
    w.stack.tcp.receive(w.unread, w.buffer);
    w.stack.tcp.send(w.unread, w.buffer);
  };
  w.host.reactor.registerHandler(SocketKind.CONNECTION, w.unread, { handleEvent }, Event.READABLE);
}

const TABLES = [
  ['Tcp', Tcp, TCP],
  ['Udp', Udp, UDP],
  ['Network', Network, NET],
  ['Channels', Channels, CHANNELS],
  ['DatagramSocket', DatagramSocket, DATAGRAM],
  ['Listener', Listener, LISTENER],
  ['Acceptor', Acceptor, ACCEPTOR],
  ['Connector', Connector, CONNECTOR],
  ['Reactor', Reactor, REACTOR],
] as const;

for (const [name, offers, rows] of TABLES) {
  t.test(`${name} → every method has its row`, (t) => {
    const methods = Object.getOwnPropertyNames(offers.prototype).filter((method) => method !== 'constructor');
    t.same(Object.keys(rows).sort(), methods.sort());
    t.end();
  });
  for (const kind of ['in virtual time', 'on a live host'] as const) {
    for (const [method, call] of Object.entries(rows)) {
      if (call !== OWN) t.test(`${name}.${method} after ten minutes, ${kind}`, (t) => walk(t, kind, call));
    }
  }
}

function walk(t: Test, kind: Kind, call: Call): void {
  const w = new SilentWorld(kind);
  t.teardown(() => w.driver.stop());
  t.equal(w.atRest, true, 'nothing is left to do before');
  w.beSilent();
  call(w);
  t.equal(w.overdue, false, 'no timer is due as soon as it is armed');
  w.host.wake();
  w.driver.runFor(2_000_000);
  t.same(w.wrong, [], 'no round trip, no timestamp and no timer has the silence in it');
  t.end();
}

for (const kind of ['in virtual time', 'on a live host'] as const) {
  t.test(`close in FIN-WAIT-2 after ten minutes, ${kind} → the row stays for its minute`, (t) => {
    const w = new SilentWorld(kind);
    t.teardown(() => w.driver.stop());
    w.beSilent();
    const before = w.stack.tcp.counts.connections;
    w.stack.tcp.close(w.half);
    w.host.wake();
    w.driver.runFor(59_000_000);
    t.equal(w.stack.tcp.counts.connections, before);
    w.driver.runFor(2_000_000);
    t.equal(w.stack.tcp.counts.connections, before - 1);
    t.end();
  });

  t.test(`a turn eight seconds after OPEN, ${kind} → one SYN, and the round trip of the wire`, (t) => {
    const w = new SilentWorld(kind);
    t.teardown(() => w.driver.stop());
    w.beSilent();
    const id = w.stack.tcp.open({ remoteAddress: w.peerAddress, remotePort: 80 });
    // The program keeps the event loop busy.
    w.driver.jump(8_000_000);
    w.host.wake();
    w.driver.runFor(3_000_000);
    t.same(w.wrong, []);
    t.equal(w.stack.tcp.info(id).rttUs < 50_000, true);
    t.end();
  });
}
