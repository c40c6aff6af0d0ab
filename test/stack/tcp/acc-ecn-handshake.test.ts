import t from 'tap';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import { ACE, asked, asking, CE, ECT0, ECT1, INITIAL, MSS, NOT_ECT } from './acc-ecn-rig.js';
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
  t.same(modes, ['none', 'rfc3168', 'accecn', 'accecn', 'accecn', 'rfc3168', 'accecn', 'none']);
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
  'the third ACK says that our SYN-ACK was marked → counted, where that can be; else the path is not trusted (§3.2.2.1, §3.2.2.3)',
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
    t.same(counted('.WA'), [0, NOT_ECT], 'it was not ECN-capable, so nobody may have marked it');
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
