import t from 'tap';
import { createWire } from '../../../drivers/loopback.js';
import { ChargenService, DiscardService, EchoService } from '../../../src/apps/stream-services.js';
import { type VirtualHost, VirtualWorld } from '../../../src/host/virtual-world.js';
import { Acceptor, Connector, type ServiceHandler } from '../../../src/reactor/acceptor.js';
import type { Handle } from '../../../src/reactor/event-handler.js';
import type { ConnectionId } from '../../../stack/base/units.js';
import { Event } from '../../../stack/net/event-queue.js';
import { Stack } from '../../../stack/stack.js';
import { State } from '../../../stack/tcp/state.js';
import { SMALL_UDP } from '../../small-udp.js';

interface Machines {
  world: VirtualWorld;
  server: VirtualHost;
  client: VirtualHost;
}

function machines(latencyUs = 0, onHandlerError?: (error: unknown) => void): Machines {
  const world = new VirtualWorld();
  const wire = createWire({ latencyUs });
  const hosts = ['10.0.0.1', '10.0.0.2'].map((address, i) => {
    const stack = new Stack({ seed: i + 1, tcp: { connectionsMax: 1024, activeMax: 1024 }, udp: SMALL_UDP });
    const host = world.add(address, stack, onHandlerError === undefined ? {} : { onHandlerError });
    host.attach(wire[i], { addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }] });
    return host;
  });
  return { world, server: hosts[0], client: hosts[1] };
}

/** A client that says what it has, and keeps what it hears. */
class Talker implements ServiceHandler {
  readonly opened: ConnectionId[] = [];
  readonly heard: Buffer[] = [];
  readonly failures: string[] = [];
  ended = 0;
  #left: Buffer;
  constructor(
    readonly host: VirtualHost,
    say: Buffer,
    readonly shutdownAfter = true,
  ) {
    this.#left = say;
  }
  get tcp(): Stack['tcp'] {
    return this.host.stack.tcp;
  }
  open(id: ConnectionId): number {
    this.opened.push(id);
    this.#say(id);
    return 42;
  }
  handleEvent(handle: Handle, events: number, cookie: number): void {
    const id = handle as ConnectionId;
    if ((events & Event.FAILED) !== 0) {
      this.failures.push(String(this.tcp.takeError(id)));
      this.tcp.close(id);
      return;
    }
    if (cookie !== 42) this.failures.push(`cookie ${cookie}`);
    this.#say(id);
    const into = new Uint8Array(10_000);
    for (;;) {
      const count = this.tcp.receive(id, into, 0, into.length);
      if (count > 0) this.heard.push(Buffer.from(into.subarray(0, count)));
      if (count < 0) {
        this.ended += 1;
        this.tcp.close(id);
      }
      if (count <= 0) return;
    }
  }
  #say(id: ConnectionId): void {
    if (this.#left.length === 0) return;
    this.#left = this.#left.subarray(this.tcp.send(id, this.#left, 0, this.#left.length));
    if (this.#left.length === 0 && this.shutdownAfter) this.tcp.shutdown(id);
  }
}

function dial(host: VirtualHost, service: ServiceHandler, port: number): ConnectionId {
  const connector = new Connector(host.stack, host.reactor, service);
  const id = connector.connect({ remoteAddress: host.stack.net.parseAddress('10.0.0.1'), remotePort: port });
  host.wake();
  return id;
}

function serve(host: VirtualHost, service: ServiceHandler, port: number): Acceptor {
  return new Acceptor(host.stack, host.reactor, { port }, service);
}

const NUMBERS = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 249));

t.test('echo: three megabytes there and back, then the end → the same bytes, nothing held', (t) => {
  const { world, server, client } = machines(500);
  const echo = new EchoService(server);
  serve(server, echo, 7);
  const talker = new Talker(client, NUMBERS);
  dial(client, talker, 7);
  world.runFor(60_000_000);
  t.ok(Buffer.concat(talker.heard).equals(NUMBERS));
  t.equal(talker.ended, 1);
  t.equal(echo.connections, 0);
  t.equal(echo.bytes, NUMBERS.length);
  world.runFor(120_000_000);
  t.equal(server.stack.tcp.counts.connections, 0);
  t.equal(client.stack.tcp.counts.connections, 0);
  t.equal(world.deadline() === Infinity || world.deadline() > world.now, true);
  t.end();
});

t.test('discard → everything taken, nothing said', (t) => {
  const { world, server, client } = machines();
  const discard = new DiscardService(server);
  serve(server, discard, 9);
  const talker = new Talker(client, NUMBERS);
  dial(client, talker, 9);
  world.runFor(10_000_000);
  t.equal(discard.bytes, NUMBERS.length);
  t.equal(talker.heard.length, 0);
  t.equal(talker.ended, 1);
  t.end();
});

t.test('chargen → RFC 864’s lines in order, for as long as somebody reads', (t) => {
  const { world, server, client } = machines();
  serve(server, new ChargenService(server), 19);
  const talker = new Talker(client, Buffer.from('whatever'), false);
  dial(client, talker, 19);
  world.runUntil(10_000_000, () => talker.heard.reduce((sum, chunk) => sum + chunk.length, 0) > 500_000);
  const text = Buffer.concat(talker.heard).toString('latin1');
  const lines = text.split('\r\n').slice(0, -1);
  t.ok(lines.length > 5000);
  t.equal(lines[0], ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg');
  t.ok(lines.every((line, i) => line.length === 72 && line.charCodeAt(0) === 0x20 + (i % 95)));
  t.end();
});

t.test('a reader that does not read → the echo service stops reading too, and holds one chunk at most', (t) => {
  const { world, server, client } = machines();
  const echo = new EchoService(server);
  serve(server, echo, 7);
  const { tcp } = client.stack;
  let id = 0 as ConnectionId;
  let said = 0;
  let quiet = false;
  const deaf: ServiceHandler = {
    open(opened) {
      id = opened;
      return 0;
    },
    handleEvent() {
      for (let taken = 1; taken > 0 && !quiet; said += taken) taken = tcp.send(id, NUMBERS, 0, 65_536);
    },
  };
  dial(client, deaf, 7);
  world.runFor(1_000_000);
  deaf.handleEvent(id, 0, 0);
  client.wake();
  world.runFor(30_000_000);
  t.ok(said < 64 << 20, `the writer was held after ${said} bytes`);
  const echoed = echo.bytes;
  world.runFor(30_000_000);
  t.equal(echo.bytes, echoed, 'and nothing moves');
  quiet = true;
  const into = new Uint8Array(1 << 20);
  let heard = 0;
  world.runUntil(world.now + 60_000_000, () => {
    const count = tcp.receive(id, into, 0, into.length);
    if (count > 0) client.wake();
    heard += Math.max(0, count);
    return heard >= said;
  });
  t.equal(heard, said);
  t.end();
});

t.test('nobody listens → the connector’s service is told FAILED, without open', (t) => {
  const { world, client } = machines();
  const talker = new Talker(client, Buffer.from('x'));
  dial(client, talker, 99);
  world.runFor(1_000_000);
  t.same(talker.failures, ['ECONNREFUSED']);
  t.same(talker.opened, []);
  t.equal(client.stack.tcp.counts.connections, 0);
  t.end();
});

t.test('the service throws when a connection is offered → reported, the peer is reset, the next is served', (t) => {
  const errors: unknown[] = [];
  const { world, server, client } = machines(0, (error) => errors.push(error));
  const wrong = new Error('not today');
  let first = true;
  const echo = new EchoService(server);
  const moody: ServiceHandler = {
    open(id) {
      if (!first) return echo.open(id);
      first = false;
      throw wrong;
    },
    handleEvent: (handle, events) => echo.handleEvent(handle, events),
  };
  serve(server, moody, 7);
  const unlucky = new Talker(client, Buffer.from('one'));
  dial(client, unlucky, 7);
  world.runFor(1_000_000);
  t.same(errors, [wrong]);
  t.same(unlucky.failures, ['ECONNRESET']);
  const lucky = new Talker(client, Buffer.from('two'));
  dial(client, lucky, 7);
  world.runFor(1_000_000);
  t.equal(Buffer.concat(lucky.heard).toString(), 'two');
  t.end();
});

t.test('acceptor closed → those accepted live on, new ones are refused', (t) => {
  const { world, server, client } = machines();
  const acceptor = serve(server, new EchoService(server), 7);
  const talker = new Talker(client, Buffer.from('a'), false);
  const id = dial(client, talker, 7);
  world.runFor(1_000_000);
  acceptor.close();
  acceptor.close();
  client.stack.tcp.send(id, Buffer.from('b'), 0, 1);
  client.wake();
  const late = new Talker(client, Buffer.from('c'));
  dial(client, late, 7);
  world.runFor(1_000_000);
  t.equal(Buffer.concat(talker.heard).toString(), 'ab');
  t.same(late.failures, ['ECONNREFUSED']);
  t.equal(client.stack.tcp.state(id), State.ESTABLISHED);
  t.end();
});

t.test('the same seeds twice → the same events at the same microseconds', (t) => {
  const run = (): string => {
    const { world, server, client } = machines(1234);
    serve(server, new EchoService(server), 7);
    const talker = new Talker(client, NUMBERS.subarray(0, 300_000));
    dial(client, talker, 7);
    const moments: string[] = [];
    world.runUntil(20_000_000, () => {
      const stats = client.stack.net.stats;
      moments.push(`${world.now} ${stats.tcpInSegs} ${stats.tcpOutSegs} ${talker.heard.length}`);
      return false;
    });
    return moments.join('\n');
  };
  t.equal(run(), run());
  t.end();
});

t.test('an hour in which nothing happens → passes at once', (t) => {
  const { world, server, client } = machines();
  serve(server, new EchoService(server), 7);
  const talker = new Talker(client, Buffer.from('a'), false);
  const id = dial(client, talker, 7);
  let moments = 0;
  world.runUntil(3_600_000_000, () => {
    moments += 1;
    return false;
  });
  t.equal(world.now, 3_600_000_000);
  t.ok(moments < 1000, `${moments} moments`);
  t.equal(client.stack.tcp.state(id), State.ESTABLISHED);
  t.end();
});
