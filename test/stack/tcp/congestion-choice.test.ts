import t from 'tap';
import { Stack } from '../../../stack/stack.js';
import type { CongestionControl } from '../../../stack/tcp/congestion.js';
import { AIMD } from './aimd.js';
import { established, opened, synReceived } from './states.js';

/** Which congestion control a connection has: by the stack, the listener, the opener, or on the way; and modules of the user's. */

const MSS = 1000;

t.test('a stack as it is → reno, cubic and dctcp are there, and connections have cubic', (t) => {
  const peer = established(t);
  t.same(peer.tcp.congestionControls, ['reno', 'cubic', 'dctcp']);
  t.equal(peer.tcp.congestionOf(peer.id), 'cubic');
  t.equal(peer.tcp.info(peer.id).congestion, 'cubic');
  t.end();
});

t.test('limits.congestion → the stack’s default', (t) => {
  const peer = opened(t, { tcp: { congestion: 'reno' } });
  t.equal(peer.tcp.congestionOf(peer.id), 'reno');
  t.end();
});

t.test('limits.congestion names nothing → ENOENT when the stack is made, and what there is', (t) => {
  t.throws(() => new Stack({ seed: 1, tcp: { congestion: 'bbr' } }), { code: 'ENOENT', message: /reno, cubic, dctcp/ });
  t.end();
});

t.test('a listener’s choice → its connections have it, and keep their cold row for it', (t) => {
  const peer = established(t, { listen: { congestion: 'reno' } });
  t.equal(peer.tcp.congestionOf(peer.id), 'reno');
  peer.advanceMs(10_000);
  t.equal(peer.tcp.congestionOf(peer.id), 'reno', 'after a long silence too');
  t.end();
});

t.test('a listener, an opener with a name that is none → ENOENT, nothing is opened', (t) => {
  const peer = established(t);
  t.throws(() => peer.tcp.listen({ port: 81, congestion: 'bbr' }), { code: 'ENOENT' });
  t.throws(() => peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 9, congestion: 'bbr' }), {
    code: 'ENOENT',
  });
  t.equal(peer.tcp.counts.listeners, 1);
  t.equal(peer.tcp.counts.connections, 1);
  t.end();
});

t.test('setCongestion with a name that is none → ENOENT, and nothing changes', (t) => {
  const peer = established(t);
  t.throws(() => peer.tcp.setCongestion(peer.id, 'bbr'), { code: 'ENOENT' });
  t.throws(() => peer.tcp.setCongestion(peer.id, ''), { code: 'ENOENT' });
  t.throws(() => peer.tcp.setCongestion(999 as typeof peer.id, 'reno'), { code: 'EBADF' });
  t.equal(peer.tcp.congestionOf(peer.id), 'cubic');
  t.end();
});

t.test('setCongestion of a closed connection → EINVAL', (t) => {
  const peer = established(t);
  peer.inject({ flags: 'R' });
  t.throws(() => peer.tcp.setCongestion(peer.id, 'reno'), { code: 'EINVAL' });
  t.end();
});

t.test('a user’s module → registered, listed, chosen; another of its name → EEXIST', (t) => {
  const peer = established(t);
  peer.tcp.registerCongestionControl(AIMD);
  t.same(peer.tcp.congestionControls, ['reno', 'cubic', 'dctcp', 'aimd-2-75']);
  t.throws(() => peer.tcp.registerCongestionControl(AIMD), { code: 'EEXIST' });
  t.throws(() => peer.tcp.registerCongestionControl({ ...AIMD, name: 'cubic' }), { code: 'EEXIST' });
  peer.tcp.setCongestion(peer.id, 'aimd-2-75');
  t.equal(peer.tcp.info(peer.id).congestion, 'aimd-2-75');
  t.end();
});

t.test('what is no module → ERR_INVALID_ARG_TYPE or _VALUE, and which part', (t) => {
  const { tcp } = established(t);
  const bad =
    (module: unknown): (() => void) =>
    () =>
      tcp.registerCongestionControl(module as CongestionControl);
  t.throws(bad(null), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(bad('reno'), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(bad({ ...AIMD, name: '' }), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(bad({ ...AIMD, name: 'sixteen-letters-' }), { code: 'ERR_INVALID_ARG_VALUE', message: /15/ });
  t.throws(bad({ ...AIMD, name: 'two words' }), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(bad({ ...AIMD, onLoss: undefined }), { code: 'ERR_INVALID_ARG_TYPE', message: /onLoss/ });
  t.throws(bad({ ...AIMD, rests: true }), { code: 'ERR_INVALID_ARG_TYPE', message: /rests/ });
  t.throws(bad({ ...AIMD, keeps: 16 }), { code: 'ERR_INVALID_ARG_VALUE', message: /keeps/ });
  t.throws(bad({ ...AIMD, onUndo: 1 }), { code: 'ERR_INVALID_ARG_TYPE', message: /onUndo/ });
  t.same(tcp.congestionControls, ['reno', 'cubic', 'dctcp'], 'none of them is there');
  t.end();
});

t.test('more modules than anybody has → ENOBUFS', (t) => {
  const { tcp } = established(t);
  t.throws(
    () => {
      for (let i = 0; i < 100; i++) tcp.registerCongestionControl({ ...AIMD, name: `own-${i}` });
    },
    { code: 'ENOBUFS' },
  );
  t.end();
});

t.test('a module given to the stack → it is the default', (t) => {
  const { tcp } = new Stack({ seed: 1, congestion: AIMD, tcp: { connectionsMax: 4, activeMax: 4 } });
  t.equal(tcp.context.congestions.standard, AIMD);
  t.same(tcp.congestionControls, ['reno', 'cubic', 'dctcp', 'aimd-2-75']);
  t.end();
});

t.test(
  'switched on a live connection → cwnd and ssthresh stay, the private words are new, the next loss is the new one’s',
  (t) => {
    const peer = established(t, { syn: { mss: MSS }, tcp: { congestion: 'reno' } });
    peer.tcp.registerCongestionControl(AIMD);
    peer.write(60 * MSS);
    peer.drain();
    peer.inject({ ack: 1 + 10 * MSS });
    peer.drain();
    t.equal(peer.tcp.info(peer.id).sndCwnd, 20);
    peer.tcp.setCongestion(peer.id, 'aimd-2-75');
    t.equal(peer.tcp.info(peer.id).sndCwnd, 20);
    // A timeout is a loss whatever recovery is in use.
    peer.untilSent();
    t.same([peer.tcp.info(peer.id).sndCwnd, peer.tcp.info(peer.id).sndSsthreshBytes], [1, 15 * MSS]);
    peer.tcp.setCongestion(peer.id, 'reno');
    t.same([peer.tcp.info(peer.id).sndCwnd, peer.tcp.info(peer.id).sndSsthreshBytes], [1, 15 * MSS]);
    t.equal(peer.tcp.info(peer.id).congestion, 'reno');
    t.end();
  },
);

t.test('two connections of one listener, one is switched → the other is as it was', (t) => {
  const peer = synReceived(t);
  peer.ack();
  peer.accept();
  const first = peer.id;
  const second = peer.tcp.open({ remoteAddress: peer.peerAddress, remotePort: 7, congestion: 'reno' });
  peer.tcp.setCongestion(first, 'dctcp');
  t.same([peer.tcp.congestionOf(first), peer.tcp.congestionOf(second)], ['dctcp', 'reno']);
  t.end();
});
