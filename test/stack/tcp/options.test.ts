import t from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { Ipv4 } from '../../../stack/wire/ipv4.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { established, opened } from './states.js';

/** Options of a connection: what is set is what holds, and what cannot be has one clear code. */

const VALUES: readonly (readonly [TcpOption, number, number])[] = [
  [TcpOption.NODELAY, 0, 1],
  [TcpOption.CORK, 0, 1],
  [TcpOption.KEEPALIVE, 0, 1],
  [TcpOption.KEEPALIVE_IDLE_MS, 7_200_000, 60_000],
  [TcpOption.KEEPALIVE_INTERVAL_MS, 75_000, 1000],
  [TcpOption.KEEPALIVE_COUNT, 9, 3],
  [TcpOption.USER_TIMEOUT_MS, 0, 30_000],
  [TcpOption.RECEIVE_BYTES, 131_072, 50_000],
  [TcpOption.SEND_BYTES, 131_072, 60_000],
  [TcpOption.QUICK_ACK, 1, 0],
  [TcpOption.SYN_RETRIES, 6, 2],
  [TcpOption.LINGER2_MS, 60_000, 5000],
  [TcpOption.TOS, 0, 0xb8],
  [TcpOption.TTL, 64, 1],
  [TcpOption.NOT_SENT_LOW_WATER, 0, 16_384],
  [TcpOption.WINDOW_CLAMP, 0, 10_000],
  [TcpOption.OOB_INLINE, 0, 1],
  [TcpOption.MTU_DISCOVER, 1, 3],
  [TcpOption.MIN_TTL, 0, 60],
  [TcpOption.RECEIVE_ERRORS, 0, 1],
];

for (const [option, initially, value] of VALUES) {
  t.test(`${option} → ${initially} at first, ${value} once set, also after a silence`, (t) => {
    const peer = opened(t);
    t.equal(peer.tcp.getOption(peer.id, option), initially);
    peer.tcp.setOption(peer.id, option, value);
    t.equal(peer.tcp.getOption(peer.id, option), value);
    if (option === TcpOption.KEEPALIVE || option === TcpOption.QUICK_ACK) peer.advanceMs(100);
    else peer.advanceMs(10_000);
    t.equal(peer.tcp.getOption(peer.id, option), value);
    for (const bad of [-2, 2 ** 31, 0.5, Number.NaN])
      t.throws(() => peer.tcp.setOption(peer.id, option, bad), { code: 'ERR_OUT_OF_RANGE' }, String(bad));
    t.equal(peer.tcp.getOption(peer.id, option), value, 'a bad value changes nothing');
    t.end();
  });
}

t.test('an option that is none → ENOPROTOOPT; any option of a closed connection → EINVAL', (t) => {
  const peer = established(t);
  t.throws(() => peer.tcp.setOption(peer.id, 'colour' as TcpOption, 1), { code: 'ENOPROTOOPT' });
  peer.inject({ flags: 'R' });
  t.throws(() => peer.tcp.setOption(peer.id, TcpOption.NODELAY, 1), { code: 'EINVAL' });
  t.end();
});

t.test('tos and ttl → in the header of every datagram from then on', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.TOS, 0xb8);
  peer.tcp.setOption(peer.id, TcpOption.TTL, 9);
  peer.write(10);
  const { datagram } = peer.expect({ length: 10 });
  t.same([datagram[Ipv4.TOS], datagram[Ipv4.TTL]], [0xb8, 9]);
  t.end();
});

t.test('maxSegment before the handshake → offered and kept to; after it, nothing changes (as Linux)', (t) => {
  const limited = established(t, { listen: { options: new Map([[TcpOption.MAX_SEGMENT, 500]]) } });
  limited.write(1000);
  t.same(
    limited.drain().map((segment) => segment.length),
    [500, 500],
  );
  const later = established(t);
  later.tcp.setOption(later.id, TcpOption.MAX_SEGMENT, 500);
  later.write(1460);
  later.expect({ length: 1460 });
  t.equal(later.tcp.getOption(later.id, TcpOption.MAX_SEGMENT), 1460);
  later.tcp.setOption(later.id, TcpOption.MAX_SEGMENT, 0);
  t.throws(() => later.tcp.setOption(later.id, TcpOption.MAX_SEGMENT, 87), { code: 'ERR_OUT_OF_RANGE' });
  t.end();
});

t.test('minTtl → what comes from farther away is dropped', (t) => {
  const peer = established(t);
  peer.tcp.setOption(peer.id, TcpOption.MIN_TTL, 65);
  t.equal(peer.inject({ data: 10 }), Verdict.TCP_TTL_TOO_LOW);
  t.equal(peer.tcp.readable(peer.id), 0);
  peer.tcp.setOption(peer.id, TcpOption.MIN_TTL, 64);
  t.equal(peer.inject({ data: 10 }), Verdict.OK);
  t.end();
});

for (const [value, dontFragment] of [
  [0, false],
  [1, true],
  [2, true],
  [3, false],
] as const) {
  t.test(`mtuDiscover ${value} → datagrams ${dontFragment ? 'must not' : 'may'} be fragmented`, (t) => {
    const peer = established(t);
    peer.tcp.setOption(peer.id, TcpOption.MTU_DISCOVER, value);
    peer.write(10);
    const [segment] = peer.drain();
    t.equal(((segment?.datagram[6] ?? 0) & 0x40) !== 0, dontFragment);
    t.end();
  });
}

t.test('windowClamp → no larger window is offered until a larger segment comes (as Linux)', (t) => {
  const peer = established(t, { listen: { receiveBytes: 30_000 } });
  peer.data(1000);
  peer.read();
  peer.tcp.setOption(peer.id, TcpOption.WINDOW_CLAMP, 5000);
  for (let i = 0; i < 40; i++) {
    peer.data(1000);
    peer.read();
  }
  t.equal(peer.drain().at(-1)?.win, 5000, 'what was promised before is used up');
  peer.data(1448);
  peer.read();
  t.equal(peer.drain().at(-1)?.win, 7240, 'the goal grows by two segments: 7920 bytes, five segments of 1448');
  t.end();
});

t.test('receiveBytes raised → the window opens by itself', (t) => {
  const peer = established(t, { listen: { receiveBytes: 4000 } });
  peer.tcp.setOption(peer.id, TcpOption.RECEIVE_BYTES, 20_000);
  peer.flush();
  peer.expect({ flags: '.', win: 9648, length: 0 }, 'half of it, in whole segments');
  t.end();
});

t.test('counters of RSTs and resets → RFC 4022’s', (t) => {
  const peer = established(t);
  peer.abort();
  t.equal(peer.stack.net.stats.tcpOutRsts, 1);
  t.equal(peer.stack.net.stats.tcpEstabResets, 1);
  peer.inject({ flags: '.', seq: 9, ack: 9 });
  t.equal(peer.stack.net.stats.tcpOutRsts, 2);
  t.equal(peer.stack.net.stats.tcpCurrEstab, 0);
  t.end();
});
