import t, { type Test } from 'tap';
import { Event } from '../../../stack/net/event-queue.js';
import { fastOpenKeys } from '../../../stack/tcp/fast-open.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { sameBytes } from '../../same-bytes.js';
import { Peer as APeer, type Peer, type PeerOptions, pattern } from './peer.js';
import { listening, synSent } from './states.js';

/** Fast Open, RFC 7413. */

const COOKIE = '3021b9d889017eeb';

function server(t: Test, options: PeerOptions = {}): Peer {
  return listening(t, {
    ...options,
    tcp: { fastOpen: 3, ...options.tcp },
    listen: { options: new Map([[TcpOption.FAST_OPEN_QUEUE as string, 2]]), ...options.listen },
  });
}

/** The cookie the server gives this peer. */
function askForCookie(peer: Peer): string {
  peer.inject({ flags: 'S', seq: 0, options: { mss: 1460, fastOpen: '' } });
  const { options } = peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  peer.inject({ flags: 'R', seq: 1 });
  peer.peerPort += 1;
  return options.fastOpen ?? '';
}

t.test('LISTEN, SYN asks for a cookie → SYN,ACK with eight bytes; the data of that SYN is not taken', (t) => {
  const peer = server(t);
  peer.inject({ flags: 'S', seq: 0, data: 10, options: { mss: 1460, fastOpen: '' } });
  const { options } = peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  t.equal(options.fastOpen?.length, 16);
  t.equal(peer.untilSent(), 1000);
  t.equal(peer.expect({ flags: 'S.', ack: 1 }).options.fastOpen, undefined, 'said once');
  t.end();
});

t.test('LISTEN, the key is known → the cookie is what Linux makes of it', (t) => {
  const peer = server(t);
  const key = Uint8Array.from(Buffer.from('a1a1a1a1b2b2b2b2c3c3c3c3d4d4d4d4', 'hex'));
  peer.tcp.context.fastOpenKeys = fastOpenKeys(key);
  (peer as { stackAddress: number }).stackAddress = peer.stack.net.parseAddress('10.0.0.1');
  t.not(askForCookie(peer), COOKIE, 'of other addresses');
  t.throws(() => fastOpenKeys(new Uint8Array(15)), { code: 'ERR_INVALID_ARG_VALUE' });
  t.end();
});

t.test(
  'LISTEN, SYN with a cookie and data → acknowledged with the SYN, accepted and answered before the handshake is complete',
  (t) => {
    const peer = server(t, { syn: { mss: 1000 } });
    const cookie = askForCookie(peer);
    peer.inject({ flags: 'S', seq: 0, data: pattern(100), options: { mss: 1000, fastOpen: cookie } });
    t.equal(peer.expect({ flags: 'S.', seq: 0, ack: 101 }).options.fastOpen, undefined);
    peer.accept();
    peer.expectState('SYN-RECEIVED');
    sameBytes(t, peer.read(), pattern(100), 'byte for byte');
    peer.drain();
    peer.write(2500);
    t.same(
      peer.drain().map(({ flags, seq, ack, length }) => [flags, seq, ack, length]),
      [
        ['.', 1, 101, 1000],
        ['.', 1001, 101, 1000],
        ['P.', 2001, 101, 500],
      ],
    );
    peer.nxt = 101;
    peer.inject({ ack: 1001 });
    peer.expectState('ESTABLISHED');
    t.equal(peer.tcp.unacknowledged(peer.id), 1500);
    peer.inject({ ack: 2501 });
    t.equal(peer.tcp.unacknowledged(peer.id), 0);
    t.equal(peer.tcp.context.listeners.byId(peer.listener)?.fastOpenPending, 0);
    t.ok(peer.tcp.info(peer.id).synDataAcked);
    peer.data(10);
    t.equal(peer.read().length, 10);
    peer.abort();
    peer.drain();
    peer.expectAllFreed();
    t.end();
  },
);

t.test('LISTEN, SYN with a wrong cookie → SYN,ACK for the SYN alone, with the right one', (t) => {
  const peer = server(t);
  const cookie = askForCookie(peer);
  peer.inject({ flags: 'S', seq: 0, data: 100, options: { mss: 1460, fastOpen: 'aabbccddaabbccdd' } });
  t.equal(peer.expect({ flags: 'S.', ack: 1 }).options.fastOpen, cookie);
  t.equal(peer.stack.net.stats.tcpFastOpenPassiveFail, 1);
  t.end();
});

t.test(
  'LISTEN, the key has changed → the cookie of the former one still counts, and the new one comes with the answer',
  (t) => {
    const peer = server(t);
    peer.tcp.context.fastOpenKeys = fastOpenKeys(pattern(16));
    const old = askForCookie(peer);
    const keys = new Uint8Array(32);
    keys.set(pattern(16, 100));
    keys.set(pattern(16), 16);
    peer.tcp.context.fastOpenKeys = fastOpenKeys(keys);
    peer.inject({ flags: 'S', seq: 0, data: 100, options: { mss: 1460, fastOpen: old } });
    const { options } = peer.expect({ flags: 'S.', ack: 101 });
    t.not(options.fastOpen, undefined);
    t.not(options.fastOpen, old);
    t.end();
  },
);

t.test('LISTEN, Fast Open off, or not asked for by the listener → its option is as if it were not there', (t) => {
  for (const options of [{ tcp: { fastOpen: 1 } }, { listen: { options: new Map() } }]) {
    const peer = server(t, options);
    peer.inject({ flags: 'S', seq: 0, data: 10, options: { mss: 1460, fastOpen: '' } });
    t.equal(peer.expect({ flags: 'S.', ack: 1 }).options.fastOpen, undefined);
  }
  t.end();
});

t.test('LISTEN, no cookie wanted (0x200, or the option) → data of any SYN is taken', (t) => {
  const queue = TcpOption.FAST_OPEN_QUEUE as string;
  for (const options of [
    { tcp: { fastOpen: 0x203 } },
    {
      listen: {
        options: new Map([
          [queue, 2],
          [TcpOption.FAST_OPEN_NO_COOKIE as string, 1],
        ]),
      },
    },
    { tcp: { fastOpen: 0x603 }, listen: { options: new Map() } },
  ]) {
    const peer = server(t, options);
    peer.inject({ flags: 'S', seq: 0, data: 1000, options: { mss: 1460 } });
    peer.expect({ flags: 'S.', ack: 1001 });
  }
  t.end();
});

t.test(
  'LISTEN, more connections than the queue of Fast Open → a handshake like any other, until one is complete',
  (t) => {
    const peer = server(t, {
      tcp: { fastOpen: 0x203 },
      listen: { options: new Map([[TcpOption.FAST_OPEN_QUEUE as string, 1]]) },
    });
    peer.inject({ flags: 'S', seq: 0, data: 10, options: { mss: 1460 } });
    const first = peer.peerPort;
    const iss = peer.expect({ flags: 'S.', ack: 11 }) && peer.stackIss;
    peer.peerPort += 1;
    peer.inject({ flags: 'S', seq: 0, data: 10, options: { mss: 1460 } });
    peer.expect({ flags: 'S.', ack: 1 });
    t.equal(peer.stack.net.stats.tcpFastOpenOverflows, 1);
    peer.peerPort = first;
    peer.stackIss = iss;
    peer.inject({ seq: 11, ack: 1 });
    peer.peerPort += 2;
    peer.inject({ flags: 'S', seq: 0, data: 10, options: { mss: 1460 } });
    peer.expect({ flags: 'S.', ack: 11 });
    t.end();
  },
);

t.test('SYN-RECEIVED by Fast Open, RST → reset, and counted against the queue for a minute (RFC 7413 §5.1)', (t) => {
  const peer = server(t, {
    tcp: { fastOpen: 0x203 },
    listen: { options: new Map([[TcpOption.FAST_OPEN_QUEUE as string, 1]]) },
  });
  const syn = (ack: number) => {
    peer.peerPort += 1;
    peer.inject({ flags: 'S', seq: 0, data: 10, options: { mss: 1460 } });
    peer.expect({ flags: 'S.', ack });
  };
  syn(11);
  peer.accept();
  peer.inject({ flags: 'R', seq: 11 });
  t.equal(peer.tcp.info(peer.id).synDataAcked, true, 'what the handshake was stays known');
  t.equal(peer.tcp.takeError(peer.id), 'ECONNRESET');
  syn(1);
  peer.inject({ flags: 'R', seq: 1 });
  peer.advanceMs(60_000);
  syn(11);
  t.end();
});

t.test(
  'SYN-RECEIVED by Fast Open, no answer → SYN,ACK for the SYN and its data after 1, 2, 4, … s; data waits for it',
  (t) => {
    const peer = server(t, { tcp: { fastOpen: 0x203 } });
    peer.inject({ flags: 'S', seq: 0, data: 10, options: { mss: 1460 } });
    peer.expect({ flags: 'S.', ack: 11 });
    peer.accept();
    peer.write(100);
    peer.expect({ flags: 'P.', seq: 1, ack: 11, length: 100 });
    for (const wait of [1000, 2000, 4000]) {
      t.equal(peer.untilSent(), wait);
      peer.expect({ flags: 'S.', seq: 0, ack: 11, length: 0 });
    }
    peer.advanceMs(8000 + 16_000 + 32_000);
    t.equal(peer.drain().length, 3, 'one more than of others');
    peer.advanceMs(64_000);
    t.equal(peer.tcp.takeError(peer.id), 'ETIMEDOUT');
    t.end();
  },
);

t.test('SYN-RECEIVED by Fast Open, the SYN again → SYN,ACK with the same numbers', (t) => {
  const peer = server(t, { tcp: { fastOpen: 0x203 } });
  const syn = { flags: 'S', seq: 0, data: 10, options: { mss: 1460 } };
  peer.inject(syn);
  peer.expect({ flags: 'S.', seq: 0, ack: 11 });
  peer.inject(syn);
  peer.expect({ flags: 'S.', seq: 0, ack: 11 });
  t.equal(peer.tcp.counts.connections, 1);
  t.end();
});

t.test('SYN-RECEIVED by Fast Open, an ACK of what was never sent → RST, and it goes on', (t) => {
  const peer = server(t, { tcp: { fastOpen: 0x203 } });
  peer.inject({ flags: 'S', seq: 0, data: 10, options: { mss: 1460 } });
  peer.expect({ flags: 'S.', ack: 11 });
  peer.accept();
  peer.inject({ seq: 11, ack: 77 });
  peer.expect({ flags: 'R', seq: 77 });
  peer.expectState('SYN-RECEIVED');
  peer.inject({ seq: 11, ack: 1 });
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('LISTEN, the experimental option → answered in kind', (t) => {
  const peer = server(t);
  peer.inject({ flags: 'S', seq: 0, options: { mss: 1460, fastOpen: '', experimental: true } });
  const { options } = peer.expect({ flags: 'S.', ack: 1 });
  t.equal(options.experimental, true);
  t.equal(options.fastOpen?.length, 16);
  t.end();
});

/** A client that has the server's cookie. */
function client(t: Test, options: PeerOptions = {}): Peer {
  const peer = new APeer(t, options);
  peer.stackPort = 5000;
  peer.peerPort = 7;
  return peer;
}

function openFast(peer: Peer, text?: Uint8Array, options = new Map<string, number>()): void {
  peer.stackPort += 1;
  peer.nxt = 0;
  peer.rcvNxt = 0;
  peer.id = peer.tcp.open({
    remoteAddress: peer.peerAddress,
    remotePort: peer.peerPort,
    localPort: peer.stackPort,
    fastOpen: text === undefined ? {} : { text },
    options,
  });
  peer.flush();
}

function learnCookie(peer: Peer, mss = 1460, cookie = COOKIE): void {
  openFast(peer, pattern(500));
  t.equal(peer.expect({ flags: 'S', seq: 0, length: 0 }).options.fastOpen, '');
  t.equal(peer.tcp.unacknowledged(peer.id), 0, 'nothing is taken');
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss, fastOpen: cookie } });
  peer.nxt = 1;
  peer.abort();
  peer.drain();
}

t.test(
  'OPEN with Fast Open, no cookie yet → the SYN asks; with one → it brings data, 40 bytes less than the MSS known',
  (t) => {
    const peer = client(t);
    learnCookie(peer, 940);
    openFast(peer, pattern(2000));
    const syn = peer.expect({ flags: 'S', seq: 0, length: 900, data: pattern(900) });
    t.equal(syn.options.fastOpen, COOKIE);
    t.equal(peer.tcp.unacknowledged(peer.id), 900);
    peer.inject({ flags: 'S.', seq: 0, ack: 901, options: { mss: 1460 } });
    peer.nxt = 1;
    peer.expect({ flags: '.', seq: 901, ack: 1, length: 0 });
    t.equal(peer.tcp.unacknowledged(peer.id), 0);
    const { synDataAcked, fastOpenClientFail } = peer.tcp.info(peer.id);
    t.same({ synDataAcked, fastOpenClientFail }, { synDataAcked: true, fastOpenClientFail: 0 });
    t.equal(peer.stack.net.stats.tcpFastOpenActive, 1);
    peer.abort();
    peer.drain();
    peer.expectAllFreed();
    t.end();
  },
);

t.test('SYN-SENT with data, SYN,ACK for the SYN alone → the data again at once', (t) => {
  const peer = client(t);
  learnCookie(peer);
  openFast(peer, pattern(500));
  peer.expect({ flags: 'S', length: 500 });
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1460 } });
  peer.nxt = 1;
  peer.expect({ flags: 'P.', seq: 1, ack: 1, length: 500, data: pattern(500) });
  peer.expectNothing();
  t.equal(peer.tcp.info(peer.id).fastOpenClientFail, 2);
  peer.inject({ ack: 501 });
  t.equal(peer.tcp.unacknowledged(peer.id), 0);
  t.end();
});

t.test('SYN-SENT with data, no answer → SYN without option and data; the data goes with the handshake over', (t) => {
  const peer = client(t);
  learnCookie(peer);
  openFast(peer, pattern(500));
  peer.drain();
  t.equal(peer.untilSent(), 1000);
  t.equal(peer.expect({ flags: 'S', seq: 0, length: 0 }).options.fastOpen, undefined);
  peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1460 } });
  peer.nxt = 1;
  peer.expect({ flags: 'P.', seq: 1, length: 500 });
  t.equal(peer.tcp.info(peer.id).fastOpenClientFail, 3);
  t.end();
});

t.test('SYN-SENT with data, SYN,ACK with data → taken, acknowledged', (t) => {
  const peer = client(t);
  learnCookie(peer);
  openFast(peer, pattern(500));
  peer.drain();
  peer.inject({ flags: 'S.', seq: 0, ack: 501, data: pattern(100), options: { mss: 1460 } });
  peer.expect({ flags: '.', seq: 501, ack: 101 });
  sameBytes(t, peer.read(), pattern(100), 'byte for byte');
  t.ok(peer.told(Event.READABLE));
  t.end();
});

t.test(
  'OPEN with Fast Open, the server does not know the option → the experimental one next time, then the standard one for good',
  (t) => {
    const peer = client(t);
    for (const experimental of [undefined, true, undefined, undefined]) {
      openFast(peer);
      const { options } = peer.expect({ flags: 'S' });
      t.same([options.fastOpen, options.experimental], ['', experimental]);
      peer.inject({ flags: 'S.', seq: 0, ack: 1, options: { mss: 1460 } });
      peer.nxt = 1;
      peer.abort();
      peer.drain();
    }
    t.end();
  },
);

t.test('OPEN with Fast Open, no cookie wanted → data without option', (t) => {
  for (const [fastOpen, option] of [
    [5, 0],
    [1, 1],
  ] as const) {
    const peer = client(t, { tcp: { fastOpen } });
    openFast(peer, pattern(100), new Map([[TcpOption.FAST_OPEN_NO_COOKIE as string, option]]));
    t.equal(peer.expect({ flags: 'S', length: 100 }).options.fastOpen, undefined);
  }
  t.end();
});

t.test(
  'SYN-SENT with data, three times no answer → none for the pause, then again; the next pause is twice as long',
  (t) => {
    const peer = client(t, { tcp: { fastOpenPauseSeconds: 100 } });
    learnCookie(peer);
    const swallowed = () => {
      openFast(peer, pattern(100));
      peer.expect({ flags: 'S', length: 100 });
      peer.advanceMs(3000);
      peer.abort();
      peer.drain();
    };
    const length = () => {
      openFast(peer, pattern(100));
      const segment = peer.expect({ flags: 'S' });
      peer.abort();
      return segment.length;
    };
    swallowed();
    t.equal(length(), 0);
    peer.advanceMs(99_999);
    t.equal(length(), 0);
    peer.advanceMs(2);
    swallowed();
    peer.advanceMs(199_999);
    t.equal(length(), 0);
    peer.advanceMs(2);
    t.equal(length(), 100);
    t.end();
  },
);

t.test('OPEN without Fast Open, a cookie is known → an ordinary SYN', (t) => {
  const peer = synSent(t);
  t.equal(peer.tcp.unacknowledged(peer.id), 0);
  t.end();
});
