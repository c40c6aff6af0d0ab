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

t.test('timer-tick → a segment again, by a timer, shortly before a step', (t) => {
  const first = packet(10_500, 'P. 1:11(10) ack 1 win 63');
  const of = (us: number, text: string, stepsAtUs: number[]) => {
    const own = packet(us, text);
    return covers('timer-tick', differs(packet(us + 2500, '. 11:11(0) ack 2 win 63'), own), {
      own: recording([first, own]),
      kernel: recording([first], stepsAtUs),
    });
  };
  t.equal(of(13_000, 'P. 1:11(10) ack 1 win 63', [14_700]), true);
  t.equal(of(13_000, 'P. 11:21(10) ack 1 win 63', [14_700]), false, 'data that is new');
  t.equal(of(13_137, 'P. 1:11(10) ack 1 win 63', [14_700]), false, 'not by a timer of ours');
  t.equal(of(13_000, 'P. 1:11(10) ack 1 win 63', [40_000]), false, 'no step comes near, and the kernel never sends it');
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
  t.equal(of(next, flight, flight.slice(0, 6)), false, 'the kernel stopped earlier');
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
