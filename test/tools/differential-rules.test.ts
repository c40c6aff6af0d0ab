import t from 'tap';
import type { Difference } from '../../tools/differential/compare.js';
import { type Played, RULES } from '../../tools/differential/rules.js';
import type { Action, CallReturned, Happening, PacketSent, Recording } from '../../tools/differential/step.js';

/** Each rule excuses what it was made for, and not what is next to it: whether it is this one is asked of the rule alone. */
function covers(
  name: string,
  difference: Difference,
  played: Partial<Record<'kernel' | 'own', Recording>>,
  actions: Action[] = [],
): boolean {
  const rule = RULES.find((each) => each.name === name);
  if (rule === undefined) throw new Error(`there is no rule ${name}`);
  const steps = actions.map((action) => ({ gapUs: 0, action }));
  const both: Played = {
    sequence: { seed: 0, steps, tailUs: 0 },
    kernel: played.kernel ?? recording([]),
    own: played.own ?? recording([]),
  };
  return rule.covers(difference, both);
}

function packet(us: number, text: string, step = 1): PacketSent {
  return { kind: 'packet', us, step, text, compared: text, stamp: undefined };
}
function call(value: string): CallReturned {
  return { kind: 'call', us: 5000, step: 2, result: 0, errno: 0, value };
}
function recording(happenings: Happening[], stepsAtUs: number[] = []): Recording {
  return { happenings, steps: stepsAtUs.map((us) => ({ us, echo: 0, skipped: false })), endUs: 1_000_000 };
}
function differs(kernel: Happening | undefined, own: Happening | undefined, step = 1): Difference {
  return { what: (kernel ?? own)?.kind === 'call' ? 'call' : 'packet', step, kernel, own };
}
const RST: Action = {
  kind: 'segment',
  flags: 4,
  seq: 1,
  length: 0,
  ack: undefined,
  window: 0,
  urgent: undefined,
  options: [],
};
const TEXT: Action = { ...RST, flags: 0x10, length: 100, ack: 1 };
const OUTQ: Action = { kind: 'call', fd: 4, name: 'ioctl', request: 'SIOCOUTQ' };
const INQ: Action = { kind: 'call', fd: 4, name: 'ioctl', request: 'SIOCINQ' };

t.test('failed-queue-counts → a queue of zero once the connection has failed, and no other number', (t) => {
  const of = (kernel: string, own: string, actions: Action[]) =>
    covers('failed-queue-counts', differs(call(kernel), call(own), 2), {}, actions);
  t.equal(of('4380', '0', [RST, OUTQ]), true);
  t.equal(of('4380', '10', [RST, OUTQ]), false, 'we count something');
  t.equal(of('4380', '0', [TEXT, OUTQ]), false, 'nothing has failed');
  t.equal(of('4380', '0', [RST, INQ]), false, 'the other queue');
  t.end();
});

t.test('burst-deferred → the end of a long burst that goes on where the kernel stopped', (t) => {
  const flight = Array.from({ length: 7 }, (_, i) =>
    packet(5000 + i, `. ${i * 100 + 1}:${i * 100 + 101}(100) ack 1 win 63`),
  );
  const of = (own: PacketSent, sent: PacketSent[], stopped: PacketSent[]) =>
    covers('burst-deferred', differs(undefined, own), { own: recording([...sent, own]), kernel: recording(stopped) });
  const next = packet(5008, 'P. 701:777(76) ack 1 win 63');
  t.equal(of(next, flight, flight), true);
  t.equal(of(next, flight.slice(4), flight.slice(4)), false, 'much of the window is left');
  t.equal(of(next, flight, flight.slice(0, 6)), false, 'the kernel stopped where much was left');
  t.equal(of(packet(9000, next.compared), flight, flight), false, 'another burst');
  t.equal(of(packet(5008, 'P. 601:701(100) ack 1 win 63'), flight, flight), false, 'not new');
  t.end();
});

t.test('burst-push → PSH alone, in the middle of what is sent', (t) => {
  const of = (kernel: string, own: string, after: string[]) => {
    const sent = packet(5000, own);
    const all = [sent, ...after.map((text) => packet(5000, text))];
    return covers('burst-push', differs(packet(5000, kernel), sent), { own: recording(all) });
  };
  const goesOn = ['. 101:201(100) ack 1 win 63'];
  t.equal(of('. 1:101(100) ack 1 win 63', 'P. 1:101(100) ack 1 win 63', goesOn), true);
  t.equal(
    of('. 1:101(100) ack 1 win 63', 'P. 1:101(100) ack 1 win 63', []),
    false,
    'the last of all has PSH (RFC 9293)',
  );
  t.equal(of('. 1:101(100) ack 1 win 62', 'P. 1:101(100) ack 1 win 63', goesOn), false, 'the window, too');
  t.end();
});

t.test('burst-deferred → what we have sent beyond where the kernel stopped, in one go', (t) => {
  const flight = Array.from({ length: 8 }, (_, i) =>
    packet(5000 + i, `. ${i * 100 + 1}:${i * 100 + 101}(100) ack 1 win 63`),
  );
  const own = packet(5009, 'P. 801:877(76) ack 1 win 63');
  const of = (stopped: PacketSent[], actions: Action[], stepsAtUs: number[]) =>
    covers(
      'burst-deferred',
      differs(undefined, own),
      { own: recording([...flight, own]), kernel: recording(stopped, stepsAtUs) },
      actions,
    );
  t.equal(of(flight.slice(0, 7), [], []), true, 'the one before was put off, too');
  t.equal(of(flight.slice(0, 7), [{ ...TEXT, ack: 101 }], [1000]), false, 'an ACK has opened the window');
  t.equal(of(flight.slice(0, 7), [{ ...TEXT, ack: 101 }], [6000]), true, 'one that came later');
  t.end();
});

t.test('probe-cut, resent-cut → the same text again, cut elsewhere', (t) => {
  const sent = packet(5000, 'P. 2905:3001(96) ack 1 win 63');
  const own = packet(9000, 'P. 2905:3001(96) ack 1 win 63');
  const probe = (kernel: string, before: PacketSent[]) =>
    covers('probe-cut', differs(packet(9000, kernel), own), { own: recording([...before, own]) });
  t.equal(probe('P. 2929:3001(72) ack 1 win 63', [sent]), true);
  t.equal(probe('P. 2929:3001(72) ack 1 win 63', []), false, 'we have not sent it before');
  t.equal(probe('P. 2929:2999(70) ack 1 win 63', [sent]), false, 'another end');
  t.equal(probe('P. 1001:3001(2000) ack 1 win 63', [sent]), false, 'more than the last segment');
  const before = packet(3000, '. 1:1001(1000) ack 1 win 63');
  const resent = (kernel: string, ours: string, ack: number, first = before) =>
    covers(
      'resent-cut',
      differs(packet(9000, kernel), packet(9000, ours)),
      { kernel: recording([], [4000]), own: recording([first]) },
      [{ ...TEXT, ack }],
    );
  t.equal(resent('. 101:1101(1000) ack 1 win 63', '. 101:1001(900) ack 1 win 63', 101), true);
  t.equal(resent('. 101:1101(1000) ack 1 win 63', '. 101:1001(900) ack 1 win 63', 1), false, 'no ACK ended there');
  t.equal(
    resent(
      '. 101:1101(1000) ack 1 win 63',
      '. 101:1001(900) ack 1 win 63',
      101,
      packet(3000, '. 1:101(100) ack 1 win 63'),
    ),
    false,
    'it is new',
  );
  t.equal(resent('. 201:1101(900) ack 1 win 63', '. 101:1001(900) ack 1 win 63', 101), false, 'another beginning');
  t.equal(resent('. 101:901(800) ack 1 win 63', '. 101:1001(900) ack 1 win 63', 101), false, 'the kernel sends less');
  t.end();
});

t.test('compression-slack → an ACK with blocks that waits for one segment more', (t) => {
  const of = (kernel: PacketSent, own: PacketSent, stepsAtUs: number[]) =>
    covers('compression-slack', differs(kernel, own), { kernel: recording([], stepsAtUs) }, [TEXT]);
  const own = packet(5000, '. 1:1(0) ack 1 win 63 <nop,nop,sack 11:21>');
  const later = packet(5200, '. 1:1(0) ack 1 win 63 <nop,nop,sack 11:31>');
  t.equal(of(later, own, [5100]), true);
  t.equal(of(later, own, [4000]), false, 'nothing came in between');
  t.equal(of(packet(9000, later.compared), own, [5100]), false, 'too late for the slack');
  t.equal(
    of(packet(5200, '. 1:1(0) ack 31 win 63 <nop,nop,sack 41:51>'), own, [5100]),
    false,
    'it says more than that',
  );
  t.equal(of(packet(5200, '. 1:1(0) ack 1 win 63'), own, [5100]), false, 'without blocks');
  t.end();
});

t.test('time-wait-window → the low bits of a window without a scale, behind a FIN', (t) => {
  const fin = packet(1000, 'F. 1:1(0) ack 1 win 64240');
  const of = (kernel: string, own: string, before: PacketSent[], actions: Action[] = []) =>
    covers(
      'time-wait-window',
      differs(packet(5000, kernel), packet(5000, own)),
      { kernel: recording(before) },
      actions,
    );
  t.equal(of('. 2:2(0) ack 2 win 1072', '. 2:2(0) ack 2 win 65535', [fin]), true);
  t.equal(of('. 2:2(0) ack 2 win 1072', '. 2:2(0) ack 2 win 65535', []), false, 'no FIN');
  t.equal(of('. 2:2(0) ack 2 win 1072', '. 2:2(0) ack 2 win 64240', [fin]), false, 'ours fits its field');
  t.equal(of('. 2:2(0) ack 3 win 1072', '. 2:2(0) ack 2 win 65535', [fin]), false, 'more than the window');
  const scaled: Action = { ...RST, flags: 2, options: [{ kind: 'wscale', value: 7 }] };
  t.equal(
    of('. 2:2(0) ack 2 win 1072', '. 2:2(0) ack 2 win 65535', [fin], [scaled]),
    false,
    'with a scale it has room',
  );
  t.end();
});

t.test('old-ack-predicted → text with an old ACK that the kernel takes', (t) => {
  const [first, old]: Action[] = [
    { ...TEXT, ack: 101, length: 0 },
    { ...TEXT, seq: 1, ack: 1, length: 100 },
  ];
  const of = (kernel: PacketSent | undefined, own: PacketSent | undefined, actions: Action[]) =>
    covers('old-ack-predicted', differs(kernel, own, actions.length), {}, actions);
  const acked = packet(5000, '. 101:101(0) ack 101 win 63');
  t.equal(of(acked, undefined, [first, old]), true);
  t.equal(of(acked, undefined, [old, first]), false, 'its ACK was not old');
  t.equal(
    of(packet(5000, '. 101:101(0) ack 51 win 63'), undefined, [first, old]),
    false,
    'something else is acknowledged',
  );
  t.equal(of(packet(5000, 'P. 101:111(10) ack 101 win 63'), undefined, [first, old]), false, 'no bare ACK');
  t.end();
});

t.test('quick-after-end → TCP_QUICKACK of a connection whose FINs have both been seen', (t) => {
  const QUICK: Action = { kind: 'call', fd: 4, name: 'getsockopt', level: 'SOL_TCP', option: 'TCP_QUICKACK' } as Action;
  const FIN: Action = { ...TEXT, flags: 0x11 };
  const fin = recording([packet(1000, 'F. 1:1(0) ack 1 win 63')]);
  const of = (kernel: string, own: string, actions: Action[], ours = fin) =>
    covers('quick-after-end', differs(call(kernel), call(own), 2), { own: ours }, actions);
  t.equal(of('0', '1', [FIN, QUICK]), true);
  t.equal(of('1', '0', [FIN, QUICK]), false, 'the other way round');
  t.equal(of('0', '1', [TEXT, QUICK]), false, 'the peer has not ended');
  t.equal(of('0', '1', [FIN, QUICK], recording([])), false, 'nor have we');
  t.end();
});
