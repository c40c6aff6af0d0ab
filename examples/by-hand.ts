/**
 * The stack without a host: a function of frames, the time and a seed, called by hand. Two of them shake hands over a loop
 * that carries frames from one to the other.
 *
 *     node dist/examples/by-hand.js
 */
import { Event, Medium, SocketKind, Stack, stateName, type Us } from 'millrace';

function makeStack(seed: number, address: string): Stack {
  const stack = new Stack({ seed });
  stack.net.addInterface({
    name: 'wire',
    medium: Medium.ETHERNET,
    // Locally administered, and different at the two ends.
    mac: Uint8Array.of(2, 0, 0, 0, 0, seed),
    addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }],
  });
  return stack;
}

/** What a device does: frames from one stack's transmit queue into slots of the other, and the slots back. */
function carry(from: Stack, to: Stack): number {
  const queue = from.net.interfaces[0].transmitQueue;
  const frames = queue.length;
  for (let i = queue.first; i < queue.count; i++) {
    const [offset, length] = [queue.offsets[i], queue.lengths[i]];
    const slot = to.slab.take();
    if (slot >= 0) {
      const at = slot + to.slab.headroom;
      to.slab.bytes.set(from.slab.bytes.subarray(offset, offset + length), at);
      to.receive(0, at, length);
      to.slab.give(slot);
    }
    from.slab.give(offset);
  }
  queue.sent(frames);
  return frames;
}

const client = makeStack(1, '10.0.0.1');
const server = makeStack(2, '10.0.0.2');
const listener = server.tcp.listen({ port: 7 });
const remoteAddress = client.net.parseAddress('10.0.0.2');
const id = client.tcp.open({ remoteAddress, remotePort: 7 });

let now = 0;
for (let round = 0; round < 4; round++) {
  for (const stack of [client, server]) stack.advance(now as Us);
  client.flush();
  let frames = carry(client, server);
  // After the frames have come: the answers to them are sent now, too.
  server.flush();
  frames += carry(server, client);
  console.log(`${now} µs: ${frames} frames, the client is in ${stateName(client.tcp.state(id))}`);
  now += 500;
}

while (client.events.next()) {
  const { kind, events } = client.events;
  if (kind === SocketKind.CONNECTION && (events & Event.CONNECTED) !== 0) console.log('the client is told: CONNECTED');
}
while (server.events.next()) {
  if ((server.events.events & Event.ACCEPTABLE) !== 0) console.log('the server is told: ACCEPTABLE');
}
const accepted = server.tcp.accept(listener);
if (accepted !== 0) console.log(`accepted from port ${server.tcp.remotePort(accepted)}`);

// Nobody says anything any more. After 40 ms of that the connection's second row is given back.
console.log(`to be called again at ${client.nextDeadline()} µs`);
