import t from 'tap';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { ACE, asked, asking, CE, ECT0, ECT1, INITIAL, MSS, NOT_ECT, opened } from './acc-ecn-rig.js';
import type { Peer } from './peer.js';
import { listening } from './states.js';

/** Accurate ECN, RFC 9768: who agrees to it, and what the handshake tells. */

t.test('LISTEN, a SYN with AE, CWR and ECE → the SYN-ACK tells the IP field the SYN came with (table 2)', (t) => {
  for (const [field, ace] of [
    [NOT_ECT, 2],
    [ECT1, 3],
    [ECT0, 4],
    [CE, 6],
  ] as const)
    asked(t, 'SEWA', field).expect({ flags: `S${ACE[ace]}`, ecn: NOT_ECT });
  t.end();
});

t.test('LISTEN, any other combination but none and ECN’s own → AccECN all the same (§3.1.2)', (t) => {
  for (const flags of ['SE', 'SW', 'SA', 'SEA', 'SWA']) asked(t, flags, NOT_ECT).expect({ flags: 'S.W' });
  asked(t, 'SEW', NOT_ECT).expect({ flags: 'S.E' });
  asked(t, 'S', NOT_ECT).expect({ flags: 'S.' });
  t.end();
});

t.test('LISTEN, the stack agrees only to ECN as it was, or to none → ECE, or nothing', (t) => {
  for (const [ecn, flags] of [
    [0, 'S.'],
    [1, 'S.E'],
    [2, 'S.E'],
    [3, 'S.W'],
    [4, 'S.W'],
    [5, 'S.W'],
  ] as const)
    asked(t, 'SEWA', NOT_ECT, { limits: { ecn } }).expect({ flags });
  t.end();
});

t.test('SYN-SENT → asks for AccECN, for ECN, or for neither as tcp_ecn has it', (t) => {
  const flagsOf = (ecn: number): string | undefined => {
    const peer = listening(t, { tcp: { ecn } });
    peer.id = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, localPort: 5000 });
    peer.flush();
    return peer.drain()[0]?.flags;
  };
  t.same([0, 1, 2, 3, 4, 5].map(flagsOf), ['S', 'SEW', 'S', 'SEWA', 'SEW', 'S']);
  t.end();
});

t.test('SYN-SENT, each SYN-ACK of table 2 → AccECN, ECN, or none', (t) => {
  const modes = ACE.map((flags) => {
    const peer = asking(t);
    peer.inject({ flags: `S${flags}`, options: peer.synOptions });
    return peer.tcp.info(peer.id).ecnMode;
  });
  t.same(modes, ['none', 'rfc3168', 'accecn', 'accecn', 'accecn', 'accecn', 'accecn', 'none']);
  t.end();
});

t.test('SYN-SENT, asked for ECN as it was, a SYN-ACK of AccECN → none: nobody asked for that', (t) => {
  for (const flags of ['S.W', 'S.A', 'S.WA']) {
    const peer = listening(t, { tcp: { ecn: 4 } });
    peer.stackPort = 5000;
    peer.peerPort = 7;
    peer.id = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, localPort: 5000 });
    peer.flush();
    peer.inject({ flags, options: peer.synOptions });
    t.equal(peer.tcp.info(peer.id).ecnMode, 'none', flags);
  }
  t.end();
});

t.test('SYN-SENT, the SYN-ACK → the third ACK tells its IP field, and no count yet (§3.2.2.1)', (t) => {
  for (const [field, ace] of [
    [NOT_ECT, 2],
    [ECT1, 3],
    [ECT0, 4],
    [CE, 6],
  ] as const) {
    const peer = asking(t);
    peer.inject({ flags: 'S.W', ecn: field, options: peer.synOptions });
    peer.nxt = 1;
    peer.expect({ flags: ACE[ace] as string, seq: 1 });
    peer.write(10);
    peer.expect({ flags: `P${ACE[field === CE ? 6 : 5]}`.replace('P.', 'P.') }, 'data has the count');
  }
  t.end();
});

t.test('SYN-SENT, AccECN’s SYN is lost → once more with the three bits, then without (§3.1.4.1)', (t) => {
  const peer = asking(t);
  peer.advanceMs(1000);
  peer.expect({ flags: 'SEWA' });
  peer.advanceMs(2000);
  peer.expect({ flags: 'S' });
  peer.inject({ flags: 'S.W', options: peer.synOptions });
  t.equal(peer.tcp.info(peer.id).ecnMode, 'accecn', 'the answer may be to an earlier one');
  const stubborn = asking(t, { limits: { ecnFallback: false } });
  stubborn.advanceMs(1000);
  stubborn.expect({ flags: 'SEWA' });
  stubborn.advanceMs(2000);
  stubborn.expect({ flags: 'SEWA' });
  t.end();
});

t.test('SYN-SENT, SYNs cross → AccECN with AccECN, ECN with ECN', (t) => {
  for (const [flags, answer, mode] of [
    ['SEWA', 'S.W', 'accecn'],
    ['SEW', 'S.E', 'rfc3168'],
    ['S', 'S.', 'none'],
  ] as const) {
    const peer = asking(t);
    peer.inject({ flags, ack: 0, options: peer.synOptions });
    peer.nxt = 1;
    peer.expect({ flags: answer, seq: 0 });
    peer.inject({ flags: answer, seq: 0, ack: 1, options: peer.synOptions });
    t.same([peer.state, peer.tcp.info(peer.id).ecnMode], ['ESTABLISHED', mode]);
  }
  t.end();
});

t.test(
  'SYN-RECEIVED, the SYN-ACK is lost → once more without the option, then without the three bits; the mode stays (§3.2.3.2.2)',
  (t) => {
    const peer = asked(t, 'SEWA', NOT_ECT);
    t.same(peer.expect({ flags: 'S.W' }).options.accEcn, INITIAL);
    peer.advanceMs(1000);
    t.equal(peer.expect({ flags: 'S.W' }).options.accEcn, undefined);
    peer.advanceMs(2000);
    t.equal(peer.expect({ flags: 'S.' }).options.accEcn, undefined);
    peer.ack({ flags: '.W' });
    peer.accept();
    t.equal(peer.tcp.info(peer.id).ecnMode, 'accecn');
    peer.write(MSS);
    peer.expect({ flags: 'P.EA', ecn: NOT_ECT }, 'but nothing is ECN-capable (§3.1.5)');
    t.end();
  },
);

t.test(
  'SYN-RECEIVED, the SYN again → the latest IP field is told; without the three bits nothing of ours is ECN-capable',
  (t) => {
    const peer = asked(t, 'SEWA', NOT_ECT);
    peer.expect({ flags: 'S.W' });
    peer.inject({ flags: 'SEWA', seq: 0, ecn: CE, options: peer.synOptions });
    t.equal(peer.expect({ flags: 'S.WA' }).options.accEcn, undefined);
    const bleached = asked(t, 'SEWA', NOT_ECT);
    bleached.drain();
    bleached.inject({ flags: 'S', seq: 0, options: bleached.synOptions });
    bleached.drain();
    bleached.ack({ flags: '.W' });
    bleached.accept();
    bleached.write(MSS);
    bleached.expect({ flags: 'P.EA', ecn: NOT_ECT });
    t.end();
  },
);

t.test(
  'the third ACK says that our SYN-ACK was marked → counted; where that cannot be, the path is not trusted (§3.2.2.1, §3.2.2.3)',
  (t) => {
    const counted = (flags: string, limits: Partial<TcpLimits> = {}): [number, number | undefined] => {
      const peer = asked(t, 'SEWA', NOT_ECT, { limits });
      peer.drain();
      peer.ack({ flags });
      peer.accept();
      peer.write(MSS);
      return [peer.tcp.info(peer.id).deliveredCe, peer.drain()[0]?.ecn];
    };
    t.same(counted('.W'), [0, ECT0]);
    t.same(counted('.WA'), [1, NOT_ECT], 'it was not ECN-capable, so nobody may have marked it');
    t.same(counted('.A'), [0, NOT_ECT]);
    t.same(counted('.WA', { ecnFallback: false }), [1, ECT0]);
    t.same(counted('.WA', { congestion: 'dctcp' }), [1, ECT0], 'DCTCP’s SYN-ACK is ECN-capable');
    t.same(counted('.W', { congestion: 'dctcp' }), [0, NOT_ECT], 'and may not be unmarked');
    t.same(counted('.'), [0, NOT_ECT], 'zero: the bits are cleared on the way');
    for (const flags of ['.E', '.EA', '.EWA']) t.same(counted(flags), [0, ECT0], 'of no meaning here');
    t.end();
  },
);

t.test('the path clears the three bits → marks by them are not answered, ours are told all the same', (t) => {
  const peer = asked(t, 'SEWA', NOT_ECT);
  peer.drain();
  peer.ack({ flags: '.' });
  peer.accept();
  peer.write(4 * MSS);
  peer.drain();
  peer.inject({ flags: '.', ack: 1 + 2 * MSS });
  t.same([peer.tcp.info(peer.id).caState, peer.tcp.info(peer.id).deliveredCe], ['open', 0]);
  peer.data(2 * MSS, { ecn: CE, ack: 1 + 4 * MSS });
  peer.expect({ flags: '.WA', ecn: NOT_ECT });
  t.end();
});

t.test(
  'SYN-SENT, the program writes as soon as it is connected → the pure ACK is first, then the data (§3.2.2.1)',
  (t) => {
    const peer = asking(t);
    peer.receive({ flags: 'S.W', ecn: ECT1, options: peer.synOptions });
    peer.nxt = 1;
    peer.write(100);
    peer.expect({ flags: '.EW', length: 0 });
    peer.expect({ flags: 'P.EA', length: 100 });
    t.end();
  },
);

t.test(
  'SYN-SENT, the SYN-ACK says that our SYN was marked → one segment to begin with, and no count of it (§3.2.2.2)',
  (t) => {
    const window = (flags: string): [number, number] => {
      const peer = asking(t);
      peer.inject({ flags, options: peer.synOptions });
      const { sndCwndBytes, deliveredCe } = peer.tcp.info(peer.id);
      return [sndCwndBytes / MSS, deliveredCe];
    };
    t.same(window('S.WA'), [1, 0]);
    t.same(window('S.W'), [10, 0]);
    t.end();
  },
);

t.test('SYN-ACKs of both kinds → the first decides; after it the bits of a SYN-ACK mean nothing (§3.1.5)', (t) => {
  const peer = opened(t);
  peer.inject({ flags: 'S.E', seq: 0, ack: 1, options: peer.synOptions });
  peer.expect({ flags: '.W' }, 'its IP field is reflected all the same');
  t.equal(peer.tcp.info(peer.id).ecnMode, 'accecn');
  t.end();
});

t.test(
  'SYN-RECEIVED after SYNs that crossed, another kind of SYN → RST (§3.1.5); the same kind → its field is told',
  (t) => {
    const crossed = (flags: string): Peer => {
      const peer = asking(t);
      peer.inject({ flags, seq: 0, options: { mss: MSS } });
      peer.drain();
      return peer;
    };
    for (const [first, second] of [
      ['SEWA', 'SEW'],
      ['SEW', 'SEWA'],
    ] as const) {
      const peer = crossed(first);
      peer.inject({ flags: second, seq: 0, options: { mss: MSS } });
      peer.expect({ seq: 1, ack: 1 });
      peer.expectState('CLOSED');
    }
    const same = crossed('SEWA');
    same.inject({ flags: 'SEWA', seq: 0, ecn: CE, options: { mss: MSS } });
    same.drain();
    same.advanceMs(1000);
    same.expect({ flags: 'S.WA' });
    t.end();
  },
);

t.test(
  'SYN-RECEIVED after SYNs that crossed, our SYN-ACK is lost → without the option, then without the bits (§3.2.3.2.2)',
  (t) => {
    const peer = asking(t);
    peer.inject({ flags: 'SEWA', seq: 0, options: { mss: MSS } });
    t.same(peer.expect({ flags: 'S.W' }).options.accEcn, INITIAL);
    peer.untilSent();
    t.equal(peer.expect({ flags: 'S.W' }).options.accEcn, undefined);
    peer.untilSent();
    peer.expect({ flags: 'S.' });
    peer.nxt = 1;
    peer.ack({ flags: '.W' });
    peer.write(10);
    peer.expect({ flags: 'P.EA', ecn: NOT_ECT });
    t.end();
  },
);

t.test(
  'SYN-RECEIVED after SYNs that crossed, a SYN-ACK with CE → in the count, as any other SYN-ACK (§3.2.2.2)',
  (t) => {
    const after = (flags: string, seq: number, ecn: number): [string | undefined, number | undefined, number] => {
      const peer = asking(t);
      peer.inject({ flags: 'SEWA', seq: 0, options: { mss: MSS } });
      peer.drain();
      peer.inject({ flags, seq, ack: 1, ecn, options: seq === 0 ? { mss: MSS } : {} });
      peer.write(10);
      const [sent] = peer.drain();
      return [sent?.flags, sent?.ecn, peer.tcp.info(peer.id).deliveredCe];
    };
    t.same(after('S.W', 0, CE), ['P.WA', ECT0, 0]);
    t.same(after('S.A', 0, NOT_ECT), ['P.EA', NOT_ECT, 0], 'our SYN was not ECN-capable, and arrived so');
    t.same(after('.W', 1, NOT_ECT), ['P.EA', ECT0, 0], 'an ACK alone: table 4');
    t.same(after('.WA', 1, NOT_ECT), ['P.EA', NOT_ECT, 1]);
    t.same(after('.', 1, NOT_ECT), ['P.EA', NOT_ECT, 0]);
    t.end();
  },
);

t.test(
  'Fast Open, the SYN again → its IP field, no option; without the bits nothing is ECN-capable; of the other kind RST',
  (t) => {
    const child = (): Peer => {
      const peer = listening(t, { tcp: { ecn: 3, fastOpen: 0x602 }, syn: { mss: MSS } });
      peer.inject({ flags: 'SEWA', seq: 0, data: 10, options: { mss: MSS } });
      t.same(peer.expect({ flags: 'S.W', ack: 11 }).options.accEcn, INITIAL);
      peer.accept();
      peer.nxt = 11;
      peer.nowUs += 600_000;
      return peer;
    };
    const again = child();
    again.inject({ flags: 'SEWA', seq: 0, data: 10, ecn: CE, options: { mss: MSS } });
    t.equal(again.expect({ flags: 'S.WA' }).options.accEcn, undefined);
    t.equal(again.tcp.info(again.id).receivedCe, 0);
    const bleached = child();
    bleached.inject({ flags: 'S', seq: 0, data: 10, options: { mss: MSS } });
    bleached.drain();
    bleached.ack({ flags: '.W' });
    bleached.write(10);
    bleached.expect({ flags: 'P.EA', ecn: NOT_ECT });
    const mixed = child();
    mixed.inject({ flags: 'SEW', seq: 0, data: 10, options: { mss: MSS } });
    t.match(mixed.drain()[0]?.flags, /^R/);
    mixed.expectState('CLOSED');
    t.end();
  },
);

t.test('Fast Open, the first ACK → a reflection if it is pure, a count if not (§3.2.2.1)', (t) => {
  const marks = (flags: string, data?: number): number => {
    const peer = listening(t, { tcp: { ecn: 3, fastOpen: 0x602 }, syn: { mss: MSS } });
    peer.inject({ flags: 'SEWA', seq: 0, data: 10, options: { mss: MSS } });
    peer.accept();
    peer.nxt = 11;
    peer.write(100);
    peer.drain();
    peer.ack({ flags, ...(data === undefined ? {} : { data }) });
    return peer.tcp.info(peer.id).deliveredCe;
  };
  t.same(
    ['.W', '.EW', '.A', '.WA', '.'].map((flags) => marks(flags)),
    [0, 0, 0, 1, 0],
  );
  t.same([marks('P.EA', 10), marks('P.WA', 10), marks('P.EWA', 10)], [0, 1, 2]);
  t.end();
});

t.test('a SYN with AccECN’s option, of Fast Open too → the option is ignored (§3.2.3.2.1)', (t) => {
  const peer = listening(t, { tcp: { ecn: 3, fastOpen: 0x602 }, syn: { mss: MSS } });
  peer.inject({ flags: 'SEWA', seq: 0, data: 10, options: { mss: MSS, accEcn: [0, 0, 0] } });
  peer.accept();
  t.equal(peer.tcp.info(peer.id).accEcnOptionSeen, 0);
  t.end();
});

t.test(
  'SYN-RECEIVED, a pure ACK waits for data (TCP_DEFER_ACCEPT) → its reflection is kept, and the first one counts',
  (t) => {
    const deferred = (...aces: string[]): [number, number | undefined] => {
      const peer = listening(t, {
        tcp: { ecn: 3 },
        syn: { mss: MSS },
        listen: { options: new Map([[TcpOption.DEFER_ACCEPT_SECONDS as string, 5]]) },
      });
      peer.inject({ flags: 'SEWA', seq: 0, options: { mss: MSS } });
      peer.drain();
      peer.nxt = 1;
      for (const flags of aces) peer.ack({ flags });
      peer.data(10, { flags: 'P.EA', ack: 1, ecn: ECT0 });
      peer.accept();
      peer.drain();
      peer.write(10);
      return [peer.tcp.info(peer.id).deliveredCe, peer.drain()[0]?.ecn];
    };
    t.same(deferred('.W'), [0, ECT0]);
    t.same(deferred('.WA'), [1, NOT_ECT]);
    t.same(deferred('.'), [0, NOT_ECT]);
    t.same(deferred('.W', '.'), [0, ECT0]);
    t.same(deferred(), [0, ECT0]);
    t.end();
  },
);

t.test('LISTEN, a SYN without the three bits → no ECN, and none either when it comes again and asks (§3.1.5)', (t) => {
  for (const again of ['SEWA', 'SEW']) {
    const peer = asked(t, 'S', NOT_ECT);
    peer.expect({ flags: 'S.', ecn: NOT_ECT });
    peer.nowUs += 600_000;
    peer.inject({ flags: again, seq: 0, options: peer.synOptions });
    peer.expect({ flags: 'S.' }, again);
    peer.ack();
    peer.accept();
    peer.data(10, { ecn: CE });
    peer.expect({ flags: '.', ecn: NOT_ECT }, 'that the peer’s data is ECN-capable is no sign of anything');
  }
  t.end();
});

t.test('the peer’s counters begin at other values than ours → believed, unless they are zero (§3.2.3.2.4)', (t) => {
  for (const [counters, seen] of [
    [[7, 3, 9], 2],
    [[1, 0, 0xff_ffff], 2],
    [[0, 0, 1], 3],
    [[1, 0, 0], 3],
  ] as const) {
    const peer = asking(t);
    peer.inject({ flags: 'S.W', options: { ...peer.synOptions, accEcn: counters } });
    t.equal(peer.tcp.info(peer.id).accEcnOptionSeen, seen, String(counters));
  }
  t.end();
});
