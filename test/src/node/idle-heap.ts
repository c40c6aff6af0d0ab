/**
 * `node --expose-gc idle-heap.js kernel|stack`: prints how many bytes of V8's heap an idle socket takes, both ends of a connection counted. Of a
 * snapshot only what JavaScript made is counted, in the snapshot before and after: compiled code and Node's C++ are neither's.
 */
import { once } from 'node:events';
import net from 'node:net';
import { getHeapSnapshot } from 'node:v8';
import { createWire } from '../../../drivers/loopback.js';
import { Host } from '../../../src/host/host.js';
import { NodeNet } from '../../../src/node/node-net.js';
import { Stack } from '../../../stack/stack.js';

const CONNECTIONS = 500;
const onStack = process.argv[2] === 'stack';
const held: net.Socket[] = [];

function makeNets(): NodeNet[] {
  return createWire().map((device, i) => {
    const stack = new Stack({ seed: i + 1, tcp: { connectionsMax: 2048, activeMax: 2048 } });
    const host = new Host({ stack });
    host.attach(device, { addresses: [{ address: stack.net.parseAddress(`10.0.0.${i + 1}`), prefixLength: 24 }] });
    host.start();
    return new NodeNet(host);
  });
}
const [near, far] = onStack ? makeNets() : [];
const address = onStack ? '10.0.0.1' : '127.0.0.1';
const server = net.createServer((socket) => held.push(socket));
near?.attach(server);
server.listen(0, address);
await once(server, 'listening');
const { port } = server.address() as net.AddressInfo;

async function open(): Promise<void> {
  for (let i = 0; i < CONNECTIONS; i++) {
    const options = { port, host: address };
    const socket = far?.connect(options) ?? net.connect(options);
    held.push(socket);
    await once(socket, 'connect');
  }
  while (held.length % (2 * CONNECTIONS) !== 0) await new Promise(setImmediate);
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

interface Snapshot {
  readonly snapshot: { readonly meta: { readonly node_fields: string[]; readonly node_types: string[][] } };
  readonly nodes: number[];
  readonly strings: string[];
}

/** Bytes by kind of object. */
async function count(): Promise<Map<string, number>> {
  let text = '';
  for await (const part of getHeapSnapshot({ exposeNumericValues: true } as object)) text += part;
  const { snapshot, nodes, strings } = JSON.parse(text) as Snapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const bytes = new Map<string, number>();
  for (let i = 0; i < nodes.length; i += fields.length) {
    const type = types[0][nodes[i]];
    const name = strings[nodes[i + 1]];
    if (!/^(object|closure|number)$/.test(type) && !/PropertyArray|bound arguments/.test(name)) continue;
    // What the snapshot itself is made of.
    if (type === 'object' && /^(Map|Set|Array|Promise)$/.test(name)) continue;
    const kind = type === 'number' ? type : `${type} ${name}`;
    bytes.set(kind, (bytes.get(kind) ?? 0) + nodes[i + 3]);
  }
  return bytes;
}

await open();
const before = await count();
await open();
const after = await count();
const kinds: Record<string, number> = {};
for (const [kind, bytes] of after) {
  const each = (bytes - (before.get(kind) ?? 0)) / (2 * CONNECTIONS);
  // A kind of which not every other socket has one is not the sockets'.
  if (each >= 4) kinds[kind] = Math.round(each);
}
process.stdout.write(JSON.stringify(kinds));
process.exit();
