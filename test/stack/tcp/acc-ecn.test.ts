import t from 'tap';
import { Cold } from '../../../stack/tcp/tcb.js';
import { ACE, agreed, asked, asking, CE, ECT0, ECT1, INITIAL, MSS, NOT_ECT, opened } from './acc-ecn-rig.js';
import type { SegmentOptions } from './segment.js';

/** Accurate ECN, RFC 9768: what the receiver counts, and when and how it tells. */

t.test('ESTABLISHED → every segment is ECN-capable and has the count: data, ACKs, retransmissions, FIN', (t) => {
  const peer = agreed(t);
  peer.data(MSS, { ecn: ECT0 });
  peer.expect({ flags: '.EA', ecn: ECT0 });
  peer.write(500);
  peer.expect({ flags: 'P.EA', ecn: ECT0 });
  peer.untilSent();
  peer.expect({ flags: 'P.EA', seq: 1, ecn: ECT0 });
  peer.ack({ flags: '.EA' });
  peer.shutdown();
  peer.expect({ flags: 'F.EA', ecn: ECT0 });
  t.end();
});

t.test('ESTABLISHED, marks on data and on ACKs → counted modulo eight, again from zero after seven', (t) => {
  const peer = agreed(t);
  for (const ace of [6, 7, 0, 1, 2]) {
    peer.data(10, { ecn: CE });
    peer.expect({ flags: ACE[ace] as string });
  }
  peer.inject({ flags: '.EA', ecn: CE });
  peer.data(10, { ecn: ECT0 });
  peer.expect({ flags: ACE[3] as string }, 'the pure ACK’s mark counts, too');
  t.same([peer.tcp.info(peer.id).receivedCe, peer.tcp.info(peer.id).receivedCeBytes], [6, 50]);
  t.end();
});

t.test('ESTABLISHED, CWR and ECE mean nothing of their own → no echo begins or ends, no CWR is sent', (t) => {
  const peer = agreed(t, { limits: { congestion: 'reno' } });
  peer.write(10 * MSS);
  peer.drain();
  peer.inject({ flags: '.EA', ack: 1 + 2 * MSS });
  t.equal(peer.tcp.info(peer.id).caState, 'open', 'the count is as it was');
  peer.inject({ flags: '.WA', ack: 1 + 4 * MSS });
  t.equal(peer.tcp.info(peer.id).caState, 'cwr', 'one more');
  peer.ack({ flags: '.WA' });
  peer.write(MSS);
  t.equal(peer.drain().at(-1)?.flags, 'P.EA', 'the count, not CWR');
  t.end();
});

t.test(
  'ESTABLISHED with delayed ACKs, the field changes → at once (§3.2.3.3); a mark after a mark may wait, a third may not',
  (t) => {
    const peer = agreed(t, { limits: { quickAcks: 0 } });
    peer.data(10, { ecn: ECT0 });
    peer.expect({ flags: '.EA' }, 'the SYN was not ECN-capable, so this was a change');
    peer.data(10, { ecn: ECT0 });
    peer.expectNothing();
    peer.data(10, { ecn: CE });
    peer.expect({ flags: '.WA' });
    peer.data(1, { ecn: CE });
    peer.expectNothing();
    peer.data(1, { ecn: CE });
    peer.expect({ flags: '.' }, 'two marks while data waits (§3.2.2.5.1): eight');
    t.end();
  },
);

t.test(
  'the third ACK was of another field than the SYN → the next text is acknowledged at once, and nothing before',
  (t) => {
    const peer = asked(t, 'SEWA', NOT_ECT, { limits: { quickAcks: 0 } });
    peer.drain();
    peer.ack({ flags: '.W', ecn: ECT0 });
    peer.accept();
    peer.expectNothing();
    peer.data(10, { ecn: ECT0 });
    peer.expect({ flags: '.EA' });
    peer.data(10, { ecn: ECT0 });
    peer.expectNothing();
    t.end();
  },
);

t.test(
  'opened in AccECN mode → the option of the SYN-ACK is answered with ours, and the bytes are counted by field',
  (t) => {
    const peer = asking(t);
    peer.inject({ flags: 'S.W', options: { ...peer.synOptions, accEcn: INITIAL } });
    peer.nxt = 1;
    t.same(peer.expect({ flags: '.W' }).options.accEcn, INITIAL);
    peer.data(300, { ecn: ECT0 });
    t.same(peer.expect({ flags: '.EA' }).options.accEcn, [1, 0, 301]);
    peer.data(200, { ecn: ECT1 });
    t.same(peer.expect({ flags: '.EA' }).options.accEcn, [201, 0, 301]);
    peer.data(100, { ecn: CE });
    t.same(peer.expect({ flags: '.WA' }).options.accEcn, [201, 100, 301]);
    peer.data(50, { ecn: NOT_ECT });
    t.same(peer.expect({ flags: '.WA' }).options.accEcn, [201, 100, 301], 'what is not ECN-capable has no counter');
    t.end();
  },
);

t.test('the peer has shown no option → none is sent, until one comes', (t) => {
  const peer = asked(t, 'SEWA', NOT_ECT);
  peer.drain();
  peer.ack({ flags: '.W', ecn: ECT0 });
  peer.accept();
  peer.data(10, { ecn: ECT0 });
  t.equal(peer.expect({ flags: '.EA' }).options.accEcn, undefined);
  peer.data(10, { ecn: ECT0, flags: 'P.EA', options: { accEcn0: [] } });
  t.equal(peer.expect({ flags: '.EA' }).options.accEcn, undefined, 'it does not acknowledge, so it is not read');
  t.end();
});

t.test('the SYN-ACK with timestamps and without, with SACK and without → Linux’s layout', (t) => {
  const lineOf = (syn: SegmentOptions): string | undefined =>
    asked(t, 'SEWA', NOT_ECT, { syn })
      .drain()[0]
      ?.line.replace(/.*options \[(.*)\].*/, '$1')
      .replace(/TS val \d+ ecr \d+/, 'TS');
  t.equal(lineOf({ sackOk: true, wscale: 8 }), 'mss 1460,accecn e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 10');
  t.equal(
    lineOf({ sackOk: true, ts: [1, 0], wscale: 8 }),
    'mss 1460,sackOK,TS,accecn e1b 1 ceb 0 e0b 1,nop,nop,wscale 10',
  );
  t.equal(lineOf({}), 'mss 1460,accecn e1b 1 ceb 0 e0b 1,nop');
  t.end();
});

t.test('the stack sends no option → neither in the SYN-ACK nor later, whatever comes', (t) => {
  const peer = asked(t, 'SEWA', NOT_ECT, { limits: { ecnOption: 0 } });
  t.equal(peer.expect({ flags: 'S.W' }).options.accEcn, undefined);
  peer.ack({ flags: '.W', options: { accEcn: INITIAL } });
  peer.accept();
  peer.data(10, { ecn: CE });
  t.equal(peer.expect({ flags: '.WA' }).options.accEcn, undefined);
  t.end();
});

t.test('the option only where needed → after a change twice, and three times in a round trip', (t) => {
  const peer = agreed(t, { limits: { ecnOption: 1, ecnOptionBeacon: 0 } });
  const options: (readonly number[] | undefined)[] = [];
  for (const ecn of [ECT0, ECT0, ECT0, CE, ECT0, ECT0, ECT0]) {
    peer.data(10, { ecn });
    options.push(peer.drain()[0]?.options.accEcn);
  }
  t.same(options, [[1, 0, 11], [1, 0, 21], undefined, [1, 10, 31], [1, 10, 41], [1, 10, 51], undefined]);
  const beacon = agreed(t, { limits: { ecnOption: 1, ecnOptionBeacon: 3 } });
  for (let i = 0; i < 3; i++) beacon.data(10, { ecn: ECT0 });
  beacon.drain();
  beacon.advanceMs(100);
  beacon.data(10, { ecn: ECT0 });
  t.same(beacon.drain()[0]?.options.accEcn, [1, 0, 41], 'a third of a round trip is over');
  t.end();
});

t.test(
  'SACK blocks want the room → the option uses their two NOPs, and takes the place of a third block when a counter has moved',
  (t) => {
    const peer = agreed(t, { syn: { sackOk: true, ts: [7, 0] } });
    const lines: (string | undefined)[] = [];
    for (const [seq, ecn] of [
      [101, ECT0],
      [201, CE],
      [301, CE],
      [401, CE],
      [501, NOT_ECT],
    ] as const) {
      peer.inject({ seq, data: 10, ecn, flags: 'P.EA' });
      lines.push(peer.drain()[0]?.line.replace(/.*ecr 7,(.*)\].*/, '$1'));
    }
    t.same(lines, [
      'accecn e1b 1 ceb 0 e0b 11,nop,nop,nop,sack 1 {101:111}',
      'accecn e1b 1 ceb 10,nop,nop,sack 2 {201:211}{101:111}',
      'accecn e1b 1 ceb 20,nop,nop,sack 2 {301:311}{201:211}',
      'accecn e1b 1 ceb 30,nop,nop,sack 2 {401:411}{301:311}',
      'accecn,sack 3 {501:511}{401:411}{301:311}',
    ]);
    t.end();
  },
);

t.test(
  'an option that begins with zeros → somebody cleared it, and it is not believed; ours is sent all the same',
  (t) => {
    const peer = opened(t, { limits: { congestion: 'reno' } });
    const zeroed = asking(t, { limits: { congestion: 'reno' } });
    zeroed.inject({ flags: 'S.W', options: { ...zeroed.synOptions, accEcn: [0, 0, 0] } });
    zeroed.nxt = 1;
    t.same(zeroed.expect({ flags: '.W' }).options.accEcn, INITIAL);
    for (const each of [peer, zeroed]) {
      each.write(MSS);
      each.drain();
      each.ack({ flags: '.EA', options: { accEcn: [1, 0, 1 + MSS] } });
    }
    t.equal(peer.tcp.info(peer.id).deliveredE0Bytes, MSS);
    t.equal(zeroed.tcp.info(zeroed.id).deliveredE0Bytes, 0);
    t.end();
  },
);

t.test(
  'the same text for the third time → ACKs with the option seem to be lost: without, unless the stack persists (§3.2.3.2.2)',
  (t) => {
    for (const [ecnOption, sent] of [
      [2, [true, true, false, false]],
      [3, [true, true, true, true]],
    ] as const) {
      const peer = agreed(t, { limits: { ecnOption }, syn: { sackOk: true } });
      const had: boolean[] = [];
      for (let i = 0; i < 4; i++) {
        peer.inject({ seq: 1, data: MSS, flags: 'P.EA', ecn: ECT0 });
        had.push(peer.drain()[0]?.options.accEcn !== undefined);
      }
      t.same(had, sent);
    }
    t.end();
  },
);

t.test('the SYN-ACK comes again → the ACK tells its field again', (t) => {
  const peer = opened(t);
  peer.write(10);
  peer.drain();
  peer.inject({ flags: 'S.W', seq: 0, ack: 1, ecn: CE, options: peer.synOptions });
  peer.expect({ flags: '.WA', seq: 11 });
  peer.data(10, { ack: 11 });
  peer.untilSent();
  peer.expect({ flags: '.WA' }, 'and its mark counts, once');
  peer.inject({ flags: 'S.W', seq: 0, ack: 1, ecn: CE, options: peer.synOptions });
  peer.drain();
  t.equal(peer.tcp.info(peer.id).receivedCe, 1);
  t.end();
});

t.test(
  'a SYN in ESTABLISHED, on a server → the challenge ACK has the count: the three bits of a SYN mean nothing now',
  (t) => {
    const peer = agreed(t);
    peer.inject({ flags: 'SEWA', seq: 0, ecn: CE, options: peer.synOptions });
    peer.expect({ flags: '.EA' });
    t.equal(peer.tcp.info(peer.id).receivedCe, 0);
    t.end();
  },
);

t.test(
  'marks on ACKs → every third is acknowledged (§3.2.2.5.1), each has one ACK in a turn, and no ping-pong',
  (t) => {
    const peer = agreed(t);
    for (let i = 1; i <= 20; i++) {
      peer.inject({ flags: '.EA', ecn: CE });
      if (i % 3 === 0) peer.expect({ flags: ACE[(5 + i) & 7] as string, length: 0 }, `mark ${i}`);
      else peer.expectNothing();
    }
    const quiet = agreed(t);
    for (let i = 0; i < 20; i++) quiet.inject({ flags: '.EA', ecn: ECT0 });
    quiet.expectNothing('without marks an ACK answers no ACK');
    t.end();
  },
);

t.test('many marks in one turn → an ACK at its end, and one for every seven (§3.2.2.5.1)', (t) => {
  const few = agreed(t);
  for (let i = 0; i < 6; i++) few.receive({ flags: '.EA', ecn: CE });
  few.flush();
  few.expect({ flags: ACE[(5 + 6) & 7] as string });
  few.expectNothing();
  const many = agreed(t);
  for (let i = 0; i < 16; i++) many.receive({ flags: '.EA', ecn: CE });
  many.flush();
  t.same(
    many.drain().map(({ flags }) => flags),
    [ACE[(5 + 7) & 7], ACE[(5 + 14) & 7]],
  );
  t.end();
});

t.test(
  'a marked segment whose ACK is of what was never sent → not acceptable, so no counter takes it in (§3.2)',
  (t) => {
    const peer = agreed(t);
    peer.inject({ flags: '.EA', ack: 5000, ecn: CE });
    peer.inject({ flags: '.EA', seq: 70_000, ecn: CE });
    t.equal(peer.tcp.info(peer.id).receivedCe, 0);
    t.end();
  },
);

t.test(
  'duplicates without blocks → ACKs of our ACKs, and no loss (§3.2.2.5.1); without SACK those that report marks',
  (t) => {
    const duplicates = (syn: SegmentOptions, ace: (i: number) => number): string => {
      const peer = agreed(t, { syn, limits: { initialWindowSegments: 20 } });
      peer.write(10 * MSS);
      peer.drain();
      for (let i = 1; i <= 6; i++) {
        peer.nowUs += 2000;
        peer.inject({ flags: ACE[ace(i) & 7] as string, ack: 1, options: { accEcn: INITIAL } });
      }
      return peer.tcp.info(peer.id).caState;
    };
    t.equal(
      duplicates({ mss: MSS, sackOk: true }, () => 5),
      'open',
    );
    t.equal(
      duplicates({ mss: MSS }, () => 5),
      'recovery',
      'without SACK a duplicate has no other sign',
    );
    t.not(
      duplicates({ mss: MSS, ts: [100, 0] }, (i) => 5 + i),
      'recovery',
      'each reports a mark',
    );
    t.end();
  },
);

t.test('asleep → never: the counters stay, as long as the connection does', (t) => {
  const peer = agreed(t);
  peer.data(10, { ecn: CE });
  peer.read();
  peer.advanceMs(60_000);
  peer.drain();
  peer.data(10, { ecn: ECT0 });
  t.same([peer.drain()[0]?.flags, peer.tcp.info(peer.id).receivedCe], ['.WA', 1]);
  t.end();
});

t.test('a retransmission → has the count as it is now, not as it was (§3.2)', (t) => {
  const peer = agreed(t);
  peer.write(10);
  peer.expect({ flags: 'P.EA' });
  peer.data(10, { ecn: CE, ack: 1 });
  peer.drain();
  peer.untilSent();
  peer.expect({ flags: 'P.WA', seq: 1, length: 10 });
  t.end();
});

t.test('a counter passes a multiple of 2^22 → an option, even where they are only sent when needed (§3.2.3.3)', (t) => {
  const peer = agreed(t, { limits: { ecnOption: 1, ecnOptionBeacon: 0 } });
  const { cold, hot } = peer.tcp.context;
  const k = hot[(peer.tcp.rowOf(peer.id) << 4) + 14] as number;
  const options = (): readonly number[] | undefined => {
    peer.data(10, { ecn: ECT0 });
    return peer.expect({ flags: '.EA' }).options.accEcn;
  };
  while (options() !== undefined);
  cold[k + Cold.R_E0B] = (1 << 22) - 15;
  t.equal(options(), undefined);
  t.same(options(), [1, 0, (1 << 22) + 6]);
  t.end();
});

t.test('reset, or closed by both → nothing of it is left', (t) => {
  const peer = agreed(t);
  peer.data(10, { ecn: CE });
  peer.read();
  peer.close();
  peer.drain();
  peer.fin({ ack: peer.rcvNxt });
  peer.advanceMs(120_000);
  peer.expectAllFreed();
  t.end();
});
