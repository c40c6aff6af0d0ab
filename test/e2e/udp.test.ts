import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import t from 'tap';
import { enterNetwork, startPeer, type Test, within } from './network.js';
import { Port } from './peer-protocol.js';

const skip = enterNetwork('ip');

/** A socket of the kernel. */
function kernelSocket(t: Test): dgram.Socket {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 * 2 ** 20 });
  t.teardown(() => socket.close());
  return socket;
}

async function exchange(socket: dgram.Socket, bytes: Buffer, address: string): Promise<[Buffer, dgram.RemoteInfo]> {
  const answer = once(socket, 'message');
  socket.send(bytes, Port.ECHO, address);
  return (await within(`${bytes.length} bytes back`, answer)) as [Buffer, dgram.RemoteInfo];
}

/** None; one; the last to fit a frame; the first that does not; 20 KB; the largest there is. */
const SIZES = [0, 1, 1472, 1473, 20_000, 65_507];

t.test('datagrams of every size to the echo service → each comes back whole', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = kernelSocket(t);
  for (const size of SIZES) {
    const sent = randomBytes(size);
    const [received, from] = await exchange(socket, sent, peer.address);
    t.ok(received.equals(sent), `${size} bytes`);
    t.match(from, { address: peer.address, port: Port.ECHO });
  }
  const { stats } = await peer.call('counts', null);
  t.equal(stats.udpInDatagrams, SIZES.length);
  t.equal(stats.ipReasmOKs, 3);
});

t.test('two addresses → the answer comes from the one that was asked', { skip }, async (t) => {
  const peer = await startPeer(t);
  await peer.call('addAddress', { address: peer.secondAddress });
  const socket = kernelSocket(t);
  for (const address of [peer.address, peer.secondAddress]) {
    const [, from] = await exchange(socket, Buffer.from('who is there?'), address);
    t.equal(from.address, address);
  }
});

t.test('100 datagrams of 20 KB → all come back, no fragment is left behind', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = kernelSocket(t);
  for (let i = 0; i < 100; i++) {
    const sent = randomBytes(20_000);
    const [received] = await exchange(socket, sent, peer.address);
    if (!received.equals(sent)) t.fail(`datagram ${i} is not what was sent`);
  }
  const { stats } = await peer.call('counts', null);
  t.match(stats, { ipReasmOKs: 100, ipReasmFails: 0, udpInDatagrams: 100, udpOutDatagrams: 100 });
});

t.test('a port nobody has → the kernel is told: ECONNREFUSED on its connected socket', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = kernelSocket(t);
  socket.connect(Port.CLOSED, peer.address);
  await once(socket, 'connect');
  const refused = once(socket, 'error');
  socket.send('anybody?');
  const [error] = (await within('port unreachable', refused)) as [NodeJS.ErrnoException];
  t.equal(error.code, 'ECONNREFUSED');
});

t.test('we send to a socket of the kernel → its answer; to no socket → ECONNREFUSED', { skip }, async (t) => {
  const peer = await startPeer(t);
  const server = kernelSocket(t);
  server.on('message', (bytes, from) => server.send(bytes.toString().toUpperCase(), from.port, from.address));
  server.bind(0, peer.hostAddress);
  await once(server, 'listening');
  const { port } = server.address();
  t.same(await peer.call('datagram', { host: peer.hostAddress, port, text: 'hello' }), { code: '', received: 'HELLO' });
  t.same(await peer.call('datagram', { host: peer.hostAddress, port: 1, text: 'hello' }), {
    code: 'ECONNREFUSED',
    received: '',
  });
});
