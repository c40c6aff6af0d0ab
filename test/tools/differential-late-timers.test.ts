import t from 'tap';
import type { Difference } from '../../tools/differential/compare.js';
import { waitingStep } from '../../tools/differential/late-timers.js';
import type { PacketSent, Recording } from '../../tools/differential/step.js';

function packet(us: number, text = '. 1:1(0) ack 1 win 63'): PacketSent {
  return { kind: 'packet', us, step: 1, text, compared: text, stamp: undefined };
}
function recording(happenings: PacketSent[], stepsAtUs: number[] = []): Recording {
  return { happenings, steps: stepsAtUs.map((us) => ({ us, echo: 0, skipped: false })), endUs: 1_000_000 };
}
const NONE = new Map<number, number>();

function waits(own: PacketSent[], stepsAtUs: number[], theirs: PacketSent[] = [], held = NONE) {
  const last = own.at(-1);
  const difference: Difference = { what: 'packet', step: 1, kernel: undefined, own: last };
  return waitingStep(recording(theirs, stepsAtUs), recording(own), difference, held);
}

t.test('a timer of ours shortly before a step → it waits for the step, as the kernel’s may have', (t) => {
  t.same(waits([packet(13_000)], [500, 14_700]), { step: 1, sinceUs: 13_000 });
  t.equal(waits([packet(13_137)], [500, 14_700]), undefined, 'it answered a step');
  t.equal(waits([packet(13_000)], [500, 24_100]), undefined, 'two ticks later the kernel’s has come up');
  t.equal(waits([packet(13_000)], [500]), undefined, 'no step comes');
  t.end();
});

t.test('a timer of 200 ms → may be late by an eighth of that', (t) => {
  t.same(waits([packet(10_500), packet(210_500), packet(411_000)], [500, 440_000]), { step: 1, sinceUs: 411_000 });
  t.equal(
    waits([packet(10_500), packet(400_500), packet(411_000)], [500, 440_000]),
    undefined,
    'a timer of 10 ms is not',
  );
  t.end();
});

t.test(
  'what both have sent, the kernel behind the next step → that timer waited; the difference is what followed',
  (t) => {
    const own = [packet(132_000), packet(133_087)];
    t.same(waits(own, [131_041, 133_087], [packet(133_211)]), { step: 1, sinceUs: 132_000 });
    t.equal(waits(own, [131_041, 133_087], [packet(132_900)]), undefined, 'the kernel’s was not late');
    t.end();
  },
);

t.test('a timer that has waited for one step and comes up behind it → waits for the next one, too', (t) => {
  const held = new Map([[1, 237_000]]);
  const own = [packet(54_000), packet(239_117)];
  t.same(waits(own, [500, 239_117, 241_118], [], held), { step: 2, sinceUs: 237_000 });
  t.equal(waits(own, [500, 239_117, 291_118], [], held), undefined, 'not for ever');
  t.end();
});
