import t from 'tap';
import type { ConnectionId } from '../../stack/base/units.js';
import { SendFlag } from '../../stack/tcp/send-marks.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import { Besieged } from './besieged.js';

/** What only few connections ask for: marks of single writes, and the headers of SYNs. Both run out for who takes all of them. */

const BYTES = 1_000_000;
const RECORDS = 40;

/** Sends records of 100 bytes at once and returns how many segments of the peer's held bytes of two. */
function sendRecords(world: Besieged, hostile?: () => void): number {
  const { tcp } = world.stack;
  const listener = world.peer.tcp.listen({ port: 7 });
  const id = tcp.open({ remoteAddress: world.peerAddress, remotePort: 7 });
  world.pass(10, hostile);
  const accepted = world.peer.tcp.accept(listener) as ConnectionId;
  const before = world.peer.tcp.info(accepted).dataSegsIn;
  const record = new Uint8Array(100);
  for (let i = 0; i < RECORDS; i++) tcp.send(id, record, 0, 100, SendFlag.RECORD_END);
  world.pass(100, hostile);
  t.equal(world.peer.tcp.readable(accepted), RECORDS * 100);
  const segments = world.peer.tcp.info(accepted).dataSegsIn - before;
  tcp.close(id);
  world.peer.tcp.abort(accepted);
  world.peer.tcp.closeListener(listener);
  return segments;
}

t.test('marks: records of one byte each for a peer that never reads → others still keep theirs apart', (t) => {
  const alone = new Besieged().transfer(BYTES, 'out');
  const world = new Besieged({ tcp: { sendMarksMax: 1024 } });
  const { tcp } = world.stack;
  const listener = world.peer.tcp.listen({ port: 9 });
  const held = Array.from({ length: 8 }, () => tcp.open({ remoteAddress: world.peerAddress, remotePort: 9 }));
  world.pass(10);
  // What fills the peer's window stays there, so that all that follows waits, with its marks.
  for (const id of held) while (tcp.send(id, new Uint8Array(65_536)) > 0) world.step();
  const hostile = () => {
    for (const id of held) for (let i = 0; i < 100; i++) tcp.send(id, new Uint8Array(1), 0, 1, SendFlag.RECORD_END);
  };
  world.pass(20, hostile);
  for (const id of held) t.equal(tcp.state(id), State.ESTABLISHED);
  const { used, limit, refused } = world.pool('tcp.send-marks');
  t.comment(`${used} of ${limit} marks are theirs, ${refused} were refused`);
  t.ok(used > limit / 4 && used < (2 * limit) / 3, 'an eighth of what is free is the most for each');
  t.ok(refused > 1000, 'what is beyond is not kept apart');
  const beside = world.transfer(BYTES, 'out', hostile);
  t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
  t.equal(sendRecords(world, hostile), RECORDS, 'a segment for each of the honest records');
  for (const id of held) tcp.abort(id);
  world.peer.tcp.closeListener(listener);
  world.pass(1000);
  t.same(world.used('tcp.send-marks', 'tcp.buffers'), [0, 0]);
  t.end();
});

t.test(
  'headers of SYNs: clients whose program never reads them hold all → the next go without, a transfer goes on',
  (t) => {
    const alone = new Besieged().transfer(BYTES, 'in');
    const world = new Besieged({ tcp: { savedSynsMax: 16 } });
    const { tcp } = world.stack;
    const listener = tcp.listen({ port: 7, backlog: 64, options: new Map([[TcpOption.SAVE_SYN, 1]]) });
    const clients = Array.from({ length: 24 }, () =>
      world.peer.tcp.open({ remoteAddress: world.address, remotePort: 7 }),
    );
    world.pass(20);
    const taken: ConnectionId[] = [];
    for (let id = tcp.accept(listener); id !== 0; id = tcp.accept(listener)) taken.push(id);
    t.equal(taken.length, 24, 'nobody is refused for it');
    const { used, limit, refused } = world.pool('tcp.saved-syns');
    t.same([used, limit, refused], [16, 16, 8]);
    const beside = world.transfer(BYTES, 'in');
    t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
    for (const id of taken) tcp.abort(id);
    for (const id of clients) world.peer.tcp.abort(id);
    tcp.closeListener(listener);
    world.pass(1000);
    t.same(world.used('tcp.saved-syns', 'tcp.buffers'), [0, 0]);
    t.end();
  },
);
