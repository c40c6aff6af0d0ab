import t from 'tap';
import { ECHO_BYTES_MAX } from '../../../stack/net/echo.js';
import { PathError } from '../../../stack/net/transport.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { Pair } from './pair.js';

t.test('echo request, every size class → the payload comes back entire', (t) => {
  const pair = new Pair();
  const to = pair.a.net.parseAddress('10.0.0.2');
  const sizes = [0, 1, 7, 8, 9, 56, 551, 552, 1471, 1472, 1473, 1480, 2952, 2953, 9000, 32768, 65506, ECHO_BYTES_MAX];
  for (const [seq, bytes] of sizes.entries()) {
    pair.a.net.sendEcho(to, 7, seq, bytes);
    pair.run();
    t.ok(pair.a.net.nextEcho(), `a reply to ${bytes} bytes`);
    const result = pair.a.net.echoResult;
    t.equal(result.seq, seq);
    t.equal(result.bytes, bytes);
    t.equal(result.intact, true, `${bytes} bytes are as they were sent`);
    t.equal(result.error, -1);
    t.equal(result.source, to);
  }
  t.notOk(pair.a.net.nextEcho());
  t.equal(pair.a.net.sendEcho(to, 7, 0, ECHO_BYTES_MAX + 1), Verdict.TOO_BIG, 'longer than IP can say');
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart, 'every slot of a is back');
  t.equal(pair.b.slab.freeCount, pair.b.slotsAtStart, 'every slot of b is back');
  t.end();
});

t.test('echo request to a host that is not there → HOST_DOWN after three requests, once', (t) => {
  const pair = new Pair();
  pair.a.net.sendEcho(pair.a.net.parseAddress('10.0.0.77'), 9, 3, 56);
  pair.pass(2999);
  t.notOk(pair.a.net.nextEcho(), 'the third request may still be answered');
  pair.pass(2);
  t.ok(pair.a.net.nextEcho());
  t.equal(pair.a.net.echoResult.error, PathError.HOST_DOWN);
  t.equal(pair.a.net.echoResult.id, 9);
  t.equal(pair.a.net.echoResult.seq, 3);
  t.notOk(pair.a.net.nextEcho());
  t.equal(pair.a.net.stats.arpRequestsSent, 3);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('echo to ourselves, by address and by 127.0.0.1 → answered without a frame', (t) => {
  const pair = new Pair();
  pair.run();
  for (const [seq, text] of ['10.0.0.1', '127.0.0.1'].entries()) {
    const before = pair.a.iface.counters.framesSent;
    pair.a.net.sendEcho(pair.a.net.parseAddress(text), 5, seq, 60000);
    t.equal(pair.a.net.msToNext(), 0, 'local datagrams want a turn at once');
    pair.run();
    t.ok(pair.a.net.nextEcho(), text);
    t.equal(pair.a.net.echoResult.bytes, 60000);
    t.equal(pair.a.net.echoResult.intact, true);
    t.equal(pair.a.iface.counters.framesSent, before);
  }
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('replies nobody asked for → not queued', (t) => {
  const pair = new Pair();
  pair.a.net.sendEcho(pair.a.net.parseAddress('10.0.0.2'), 1, 1, 8);
  let reply: Uint8Array = new Uint8Array(0);
  pair.filter = (frame, from) => {
    if (from === pair.b && frame.length > 42) reply = frame;
    return [frame];
  };
  pair.run();
  t.ok(pair.a.net.nextEcho());
  // The identifier is in front of the sequence number; both are covered by the checksum, so one up and one down.
  const view = new DataView(reply.buffer);
  view.setUint16(38, view.getUint16(38) + 1);
  view.setUint16(40, view.getUint16(40) - 1);
  t.equal(pair.a.hear(reply), Verdict.ICMP_IMPLAUSIBLE);
  t.notOk(pair.a.net.nextEcho());
  t.end();
});

t.test('more replies than the queue holds → the newest are kept', (t) => {
  const pair = new Pair({ limits: { echoRepliesMax: 4 } });
  for (let seq = 0; seq < 10; seq++) {
    pair.a.net.sendEcho(pair.a.net.parseAddress('10.0.0.2'), 1, seq, 8);
    pair.run();
  }
  const seqs: number[] = [];
  while (pair.a.net.nextEcho()) seqs.push(pair.a.net.echoResult.seq);
  t.same(seqs, [6, 7, 8, 9]);
  t.end();
});
