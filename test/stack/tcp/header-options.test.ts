import t from 'tap';
import { Verdict } from '../../../stack/wire/verdict.js';
import { established, listening, opened, synSent } from './states.js';

/** Options in the TCP header, RFC 9293 §3.1 and §3.2: in any segment, known or not, wherever they stand. */

/** Experimental, of a length of its own: RFC 6994 kind 253, and a kind nobody has. */
const UNKNOWN = [253, 6, 0xde, 0xad, 0xbe, 0xef, 77, 3, 1];

t.test('SYN, ACK, data, FIN, each with options nobody knows → as if they were not there (MUST-5, MUST-6)', (t) => {
  const options = { raw: UNKNOWN };
  const peer = listening(t);
  peer.inject({ flags: 'S', options: { ...options, mss: 1000 } });
  peer.expect({ flags: 'S.', ack: 1 });
  peer.nxt = 1;
  t.equal(peer.ack({ options }), Verdict.OK);
  peer.accept();
  peer.expectState('ESTABLISHED');
  peer.data(10, { options });
  t.equal(peer.read().length, 10);
  peer.write(1200);
  t.same(
    peer.drain().map(({ length }) => length),
    [0, 1000, 200],
    'the MSS behind them was read',
  );
  peer.ack({ options });
  peer.fin({ options });
  peer.expectState('CLOSE-WAIT');
  t.end();
});

t.test('SYN, its MSS at every alignment → read (MUST-64)', (t) => {
  for (let nops = 0; nops < 4; nops++) {
    const peer = listening(t);
    peer.inject({ flags: 'S', options: { raw: new Array(nops).fill(1), mss: 700 } });
    peer.nxt = 1;
    peer.ack();
    peer.accept();
    peer.write(1400);
    const lengths = peer.drain().map(({ length }) => length);
    t.same(lengths.slice(-2), [700, 700], `${nops} NOPs before it`);
  }
  t.end();
});

t.test('a whole life of a connection → an MSS in the SYN, and in no other segment (MUST-14, MUST-65)', (t) => {
  const syn = { mss: 1460, sackOk: true, ts: [1, 0] as const, wscale: 7 };
  for (const open of [opened, established]) {
    const peer = open(t, { syn });
    peer.write(3000);
    peer.ack();
    peer.inject({ seq: 101, data: 10 });
    peer.advanceMs(3000);
    peer.inject({ flags: 'S', seq: 0, options: syn });
    peer.shutdown();
    peer.advanceMs(3000);
    peer.abort();
    const sent = peer.drain();
    t.ok(sent.length > 8);
    t.same(
      sent.filter(({ options }) => options.mss !== undefined),
      [],
    );
  }
  const calling = synSent(t);
  calling.untilSent();
  t.equal(calling.expect({ flags: 'S' }).options.mss, 1460);
  t.end();
});

t.test('ESTABLISHED, data with an option of illegal length → taken as without it, and counted (MUST-7)', (t) => {
  const peer = established(t);
  for (const raw of [
    [2, 0],
    [2, 1],
    [253, 41],
    [1, 1, 1, 253],
    [8, 3, 0],
  ]) {
    const { stats } = peer.stack.net;
    const bad = stats.tcpBadOptions;
    t.equal(peer.data(10, { options: { raw } }), Verdict.OK, raw.join(' '));
    t.equal(stats.tcpBadOptions, bad + 1);
  }
  t.equal(peer.read().length, 50);
  t.end();
});

t.test('ESTABLISHED, an MSS in a data segment → changes nothing', (t) => {
  const peer = established(t);
  peer.data(10, { options: { mss: 100 } });
  peer.drain();
  peer.write(1460);
  peer.expect({ length: 1460 });
  t.end();
});
