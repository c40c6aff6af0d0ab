import t from 'tap';
import { Rig } from './congestion-rig.js';

/** Reno alone: RFC 5681 §3.1, counted as Linux counts. */

t.test('slow start → every segment acknowledged is one more (RFC 3465 without a limit)', (t) => {
  const it = new Rig(t, 'reno');
  it.cwnd = 10;
  it.ssthresh = 1000;
  it.ack(1);
  it.ack(16);
  t.equal(it.cwnd, 27);
  t.end();
});

t.test('slow start meets ssthresh in the middle of an ACK → the rest counts for avoidance', (t) => {
  const it = new Rig(t, 'reno');
  it.cwnd = 10;
  it.ssthresh = 12;
  it.ack(8);
  t.equal(it.cwnd, 12);
  it.ack(5);
  t.equal(it.cwnd, 12, 'eleven of twelve');
  it.ack(1);
  t.equal(it.cwnd, 13);
  t.end();
});

t.test('congestion avoidance → a segment for each window acknowledged, whatever the ACKs are like', (t) => {
  for (const perAck of [1, 2, 5, 10]) {
    const it = new Rig(t, 'reno');
    it.cwnd = 10;
    it.ssthresh = 10;
    for (let i = 0; i < 10 / perAck; i++) it.ack(perAck);
    t.equal(it.cwnd, 11, `${perAck} an ACK`);
  }
  t.end();
});

t.test('congestion avoidance, an ACK of many windows → a segment for each', (t) => {
  const it = new Rig(t, 'reno');
  it.cwnd = 10;
  it.ssthresh = 10;
  it.ack(35);
  t.equal(it.cwnd, 13);
  t.end();
});

t.test('credit from a larger window → one segment, not a burst', (t) => {
  const it = new Rig(t, 'reno');
  it.cwnd = 100;
  it.ssthresh = 10;
  it.ack(99);
  it.cwnd = 10;
  it.ack(1);
  t.equal(it.cwnd, 11);
  it.ack(9);
  t.equal(it.cwnd, 11);
  t.end();
});

t.test('a loss → half, rounded down; two segments at the least (equation 4)', (t) => {
  for (const [cwnd, ssthresh] of [
    [10, 5],
    [11, 5],
    [5, 2],
    [4, 2],
    [3, 2],
    [1, 2],
  ] as const) {
    const it = new Rig(t, 'reno');
    it.cwnd = cwnd;
    it.loss();
    t.equal(it.ssthresh, ssthresh, `${cwnd}`);
  }
  t.end();
});

t.test('a loss → what avoidance had counted is gone', (t) => {
  const it = new Rig(t, 'reno');
  it.cwnd = 20;
  it.ssthresh = 10;
  it.ack(19);
  it.reduce();
  it.ack(9);
  t.equal(it.cwnd, 10);
  it.ack(1);
  t.equal(it.cwnd, 11);
  t.end();
});
