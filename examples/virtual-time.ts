/**
 * Two stacks, a bad link and thirty seconds that take a fraction of one. No root, no kernel, no waiting: time jumps from
 * deadline to deadline. And no chance: the same seed gives the same frames at the same microseconds, so both runs print the same.
 *
 *     node dist/examples/virtual-time.js [SEED]
 */
import { createHash } from 'node:crypto';
import {
  Acceptor,
  CaptureDevice,
  type ConnectionId,
  Connector,
  createWire,
  DiscardService,
  type Driver,
  describeFrame,
  FaultDevice,
  FrameSlab,
  type Handle,
  NOTE_INTS,
  parseFaults,
  type ServiceHandler,
  Stack,
  type VirtualHost,
  VirtualWorld,
} from 'millrace';

const SECONDS = 30;

/** Sends as much as the stack takes, for ever. */
class Source implements ServiceHandler {
  readonly #chunk = new Uint8Array(65_536);
  constructor(readonly stack: Stack) {}
  open(id: ConnectionId): number {
    this.handleEvent(id);
    return 0;
  }
  handleEvent(handle: Handle): void {
    // A short `send` is followed by WRITABLE, when there is room again.
    while (this.stack.tcp.send(handle as ConnectionId, this.#chunk) === this.#chunk.length);
  }
}

function addHost(world: VirtualWorld, name: string, address: string, device: Driver, seed: number): VirtualHost {
  const stack = new Stack({ seed, slab: new FrameSlab({ noteInts: NOTE_INTS }) });
  const host = world.add(name, stack);
  host.attach(device, { addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }] });
  return host;
}

function run(seed: number): string {
  const world = new VirtualWorld();
  const [near, far] = createWire({ latencyUs: 10_000, seed });
  // 1 % of the frames are lost each way, some overtake others, and 10 Mbit/s is all there is.
  const link = new FaultDevice(near, parseFaults('loss=1%,reorder=1%,rate=10mbit,limit=100'), seed);
  // The trace of it: here only its digest is kept; fileSink('run.pcapng') would make a file for Wireshark.
  const digest = createHash('sha256');
  const sink = { write: (bytes: Uint8Array) => void digest.update(bytes), close: () => {} };
  const capture = new CaptureDevice(link, { sink, describe: describeFrame });

  const client = addHost(world, 'client', '10.0.0.1', capture, seed);
  const server = addHost(world, 'server', '10.0.0.2', far, seed + 1);

  const discard = new DiscardService(server);
  new Acceptor(server.stack, server.reactor, { port: 9 }, discard);
  const remoteAddress = client.stack.net.parseAddress('10.0.0.2');
  const source = new Source(client.stack);
  const id = new Connector(client.stack, client.reactor, source).connect({ remoteAddress, remotePort: 9 });

  world.runFor(SECONDS * 1_000_000);

  const sent = link.faults.out;
  const { totalRetrans, totalRto, rttUs } = client.stack.tcp.info(id);
  capture.close(client.stack.slab);
  return [
    `${(discard.bytes / 1e6).toFixed(3)} MB in ${world.now / 1e6} s`,
    `${sent.frames} frames sent: ${sent.lost} lost on the link, ${sent.overLimit} by its full queue, ${sent.reordered} overtaken`,
    `${totalRetrans} segments retransmitted, ${totalRto} timeouts, SRTT ${(rttUs / 1000).toFixed(1)} ms`,
    `trace ${digest.digest('hex').slice(0, 16)}`,
  ].join('\n');
}

const seed = Number(process.argv[2] ?? 1);
const began = performance.now();
const first = run(seed);
console.log(first);
console.error(`(${Math.round(performance.now() - began)} ms of real time)`);
console.log(run(seed) === first ? 'the same again: identical, to the last byte of the trace' : 'NOT the same again');
