import t from 'tap';
import type { Us } from '../../../stack/base/units.js';
import { FrameSlab } from '../../../stack/memory/frame-slab.js';
import { Medium } from '../../../stack/net/device.js';
import { Stack } from '../../../stack/stack.js';
import { takeSavedSyn } from '../../../stack/tcp/saved-syns.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { Tcb } from '../../../stack/tcp/tcb.js';
import { SMALL_UDP } from '../../small-udp.js';
import { type Peer, SMALL } from './peer.js';
import { writeSegment } from './segment.js';
import { established, synReceived } from './states.js';

/** The headers of SYNs, kept for who asks: Linux's TCP_SAVE_SYN and TCP_SAVED_SYN. */

const KEEPS = { listen: { options: new Map([[TcpOption.SAVE_SYN, 1]]) } };

function read(peer: Peer, most = 300): Uint8Array {
  return takeSavedSyn(peer.tcp.context, peer.tcp.rowOf(peer.id) << Tcb.SHIFT, most);
}

t.test('LISTEN, headers are kept → IP and TCP header of the SYN, as they came, once', (t) => {
  const peer = established(t, { ...KEEPS, syn: { mss: 1400, wscale: 3 } });
  t.throws(() => read(peer, 47), { code: 'EINVAL' }, 'they are 48 bytes');
  const headers = read(peer);
  t.equal(headers.length, 20 + 28);
  const view = new DataView(headers.buffer, headers.byteOffset);
  t.equal(view.getUint8(0), 0x45);
  t.equal(view.getUint16(2), 48);
  t.same([...headers.subarray(12, 20)], [10, 0, 0, 2, 10, 0, 0, 1]);
  t.equal(view.getUint16(20), peer.peerPort);
  t.equal(view.getInt32(24), peer.peerIss);
  t.same([...headers.subarray(40)], [2, 4, 1400 >>> 8, 1400 & 0xff, 1, 3, 3, 3]);
  t.equal(read(peer).length, 0);
  t.equal(peer.tcp.context.savedSyns.count, 0);
  t.end();
});

t.test('LISTEN, nothing is asked for → nothing is kept', (t) => {
  const peer = established(t);
  t.equal(peer.tcp.context.savedSyns.count, 0);
  t.equal(read(peer).length, 0);
  t.end();
});

t.test('the connection, or the attempt, ends before the headers were read → they are free', (t) => {
  const dead = established(t, KEEPS);
  dead.inject({ flags: 'R.', seq: dead.nxt });
  t.equal(dead.state, 'CLOSED');
  t.ok(read(dead).length > 0, 'a dead connection still has them, as on Linux');
  const closed = established(t, KEEPS);
  closed.tcp.abort(closed.id);
  closed.flush();
  t.equal(closed.tcp.context.savedSyns.count, 0, 'closed');
  const reset = synReceived(t, KEEPS);
  t.equal(reset.tcp.context.savedSyns.count, 1);
  reset.inject({ flags: 'R', seq: 1 });
  t.equal(reset.tcp.context.savedSyns.count, 0, 'RST in SYN-RECEIVED');
  const silent = synReceived(t, KEEPS);
  silent.advanceMs(200_000);
  t.equal(silent.tcp.context.savedSyns.count, 0, 'no ACK ever');
  t.end();
});

t.test('all room is taken → the connection comes about without, and it is counted', (t) => {
  const peer = established(t, { ...KEEPS, tcp: { savedSynsMax: 1 } });
  peer.peerPort += 1;
  peer.nxt = 0;
  peer.inject({ flags: 'S', seq: 0, options: { mss: 1460 } });
  t.equal(peer.tcp.context.savedSyns.count, 1);
  t.equal(peer.stack.net.stats.tcpSavedSynsRefused, 1);
  t.equal(peer.tcp.context.synTable.count, 1);
  t.end();
});

t.test('LISTEN on Ethernet, with the MAC header → 14 bytes before the others, without the tag of a VLAN', (t) => {
  for (const vlan of [0, 7]) {
    const slab = new FrameSlab({ slots: 64, slotBytes: 2048 });
    const stack = new Stack({ seed: 1, now: 1_000_000 as Us, slab, tcp: SMALL, udp: SMALL_UDP });
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
    stack.net.addInterface({
      name: 'e',
      medium: Medium.ETHERNET,
      mac,
      vlan,
      addresses: [{ address: stack.net.parseAddress('10.0.0.1'), prefixLength: 24 }],
    });
    stack.tcp.listen({ port: 80, options: new Map([[TcpOption.SAVE_SYN, 2]]) });
    const frame = slab.take() + slab.headroom;
    const tag = vlan === 0 ? [] : [0x81, 0, 0, vlan];
    const link = [...mac, 2, 0, 0, 0, 0, 9, ...tag, 8, 0];
    slab.bytes.set(link, frame);
    const segment = { flags: 'S', seq: 5, ack: 0, win: 5000, urgent: 0, ecn: 0, options: { mss: 1000 } };
    const direction = {
      source: stack.net.parseAddress('10.0.0.2'),
      destination: stack.net.parseAddress('10.0.0.1'),
      sourcePort: 4000,
      destinationPort: 80,
      seqBase: 0,
      ackBase: 0,
    };
    const length = writeSegment(slab.view, frame + link.length, segment, direction);
    stack.receive(0, frame, link.length + length);
    const { synTable, savedSyns } = stack.tcp.context;
    t.equal(synTable.count, 1);
    savedSyns.promote(synTable.oldest(), 3);
    const headers = savedSyns.read(3);
    t.same([...headers.subarray(0, 14)], [...mac, 2, 0, 0, 0, 0, 9, 8, 0]);
    t.same([...headers.subarray(14)], [...slab.bytes.subarray(frame + link.length, frame + link.length + length)]);
  }
  t.end();
});
