import t from 'tap';
import { createWire } from '../../../drivers/loopback.js';
import { type VirtualHost, VirtualWorld } from '../../../src/host/virtual-world.js';
import type { EventHandler, Handle } from '../../../src/reactor/event-handler.js';
import type { ConnectionId } from '../../../stack/base/units.js';
import { Event, SocketKind } from '../../../stack/net/event-queue.js';
import { Stack } from '../../../stack/stack.js';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { State } from '../../../stack/tcp/state.js';
import { Verdict } from '../../../stack/wire/verdict.js';

/** Two stacks and a connection between them; `near` is the end whose handler is looked at. */
class Scene {
  readonly world = new VirtualWorld();
  readonly hosts: VirtualHost[];
  readonly listener: number;
  near = 0 as ConnectionId;
  far = 0 as ConnectionId;

  constructor() {
    const wire = createWire({ latencyUs: 1000 });
    this.hosts = ['10.0.0.1', '10.0.0.2'].map((address, i) => {
      const stack = new Stack({ seed: i + 1, tcp: { connectionsMax: 64, activeMax: 64 } });
      const host = this.world.add(address, stack);
      host.attach(wire[i], { addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }] });
      return host;
    });
    this.listener = this.farTcp.listen({ port: 7 });
  }
  get tcp() {
    return this.hosts[0].stack.tcp;
  }
  get farTcp() {
    return this.hosts[1].stack.tcp;
  }
  open(): void {
    this.near = this.tcp.open({ remoteAddress: this.hosts[0].stack.net.parseAddress('10.0.0.2'), remotePort: 7 });
    this.hosts[0].wake();
  }
  accept(): void {
    this.far = this.farTcp.accept(this.listener as never) as ConnectionId;
  }
  /** Calls on either stack go out, and what follows from them happens. */
  rest(ms = 100): void {
    for (const host of this.hosts) host.wake();
    this.world.runFor(ms * 1000);
  }
  /** Writes until the send buffer is full and the stack takes less. */
  fill(): void {
    const bytes = new Uint8Array(65_536);
    while (this.tcp.send(this.near, bytes) === bytes.length) this.rest(10);
  }
  drain(): void {
    const into = new Uint8Array(65_536);
    for (let idle = 0; idle < 5; idle++) {
      while (this.farTcp.receive(this.far, into) > 0) idle = 0;
      this.rest(50);
    }
  }
}

interface Story {
  /** What comes before, and must not call the handler; undefined: a connection is established. */
  readonly before?: (scene: Scene) => void;
  readonly happens: (scene: Scene) => void;
  readonly listener?: true;
  /** What comes with it, in the same or in other calls. */
  readonly also?: number;
}

function established(scene: Scene): void {
  scene.open();
  scene.rest();
  scene.accept();
  scene.rest();
}

/** The compiler sees that no bit is missing. */
const STORIES: { readonly [name in keyof typeof Event]: Story } = {
  READABLE: { happens: (scene) => scene.farTcp.send(scene.far, new Uint8Array(3)) },
  WRITABLE: {
    before: (scene) => {
      established(scene);
      scene.fill();
    },
    happens: (scene) => scene.drain(),
  },
  CONNECTED: { before: (scene) => scene.open(), happens: () => {}, also: Event.WRITABLE },
  PEER_CLOSED: { happens: (scene) => scene.farTcp.shutdown(scene.far), also: Event.READABLE },
  FAILED: { happens: (scene) => scene.farTcp.abort(scene.far) },
  ACCEPTABLE: { before: () => {}, happens: (scene) => scene.open(), listener: true },
  CLOSED: {
    before: (scene) => {
      established(scene);
      scene.tcp.shutdown(scene.near);
      scene.rest();
    },
    happens: (scene) => scene.farTcp.shutdown(scene.far),
    also: Event.PEER_CLOSED | Event.READABLE,
  },
  URGENT: {
    happens: (scene) => {
      scene.farTcp.send(scene.far, new Uint8Array(3));
      scene.farTcp.markUrgent(scene.far);
    },
    also: Event.READABLE,
  },
  SENT: { happens: (scene) => scene.tcp.shutdown(scene.near) },
  NOTICE: {
    before: (scene) => {
      established(scene);
      scene.tcp.setOption(scene.near, TcpOption.RECEIVE_ERRORS, 1);
      // From now on the far machine has no TCP, and says so by ICMP.
      const net = scene.hosts[1].stack.net;
      net.register(6, { input: (packet) => net.sendPortUnreachable(packet), error: () => Verdict.OK });
    },
    happens: (scene) => scene.tcp.send(scene.near, new Uint8Array(3)),
  },
};
const BITS: { readonly [name in keyof typeof Event]: number } = {
  READABLE: Event.READABLE,
  WRITABLE: Event.WRITABLE,
  CONNECTED: Event.CONNECTED,
  PEER_CLOSED: Event.PEER_CLOSED,
  FAILED: Event.FAILED,
  ACCEPTABLE: Event.ACCEPTABLE,
  CLOSED: Event.CLOSED,
  URGENT: Event.URGENT,
  SENT: Event.SENT,
  NOTICE: Event.NOTICE,
};
const ALL = Object.values(BITS).reduce((union, bit) => union | bit);

class Recorder implements EventHandler {
  events = 0;
  calls = 0;
  handleEvent(_handle: Handle, events: number): void {
    this.events |= events;
    this.calls += 1;
  }
}

/** What a handler with this mask is called with before, and during, what the story tells. */
function told(story: Story, mask: number): { before: number; during: number; calls: number } {
  const scene = new Scene();
  (story.before ?? established)(scene);
  const recorder = new Recorder();
  const place = story.listener === true ? scene.hosts[1] : scene.hosts[0];
  const kind = story.listener === true ? SocketKind.LISTENER : SocketKind.CONNECTION;
  const handle = (story.listener === true ? scene.listener : scene.near) as Handle;
  place.reactor.registerHandler(kind, handle, recorder, mask);
  // The handshake is under way: time must not pass before the event itself.
  if (story !== STORIES.CONNECTED) {
    recorder.events = 0;
    place.reactor.handleEvents();
  }
  // A registration of a listener begins with ACCEPTABLE: the program looks once.
  const before = story.listener === true ? 0 : recorder.events;
  recorder.events = 0;
  recorder.calls = 0;
  story.happens(scene);
  scene.rest(5000);
  return { before, during: recorder.events, calls: recorder.calls };
}

for (const name of Object.keys(STORIES) as (keyof typeof Event)[]) {
  const story = STORIES[name];
  const bit = BITS[name];
  t.test(`${name} alone registered → called when it happens, with nothing else, and not before`, (t) => {
    const alone = told(story, bit);
    t.equal(alone.before, 0, 'not before');
    t.equal(alone.during, bit, 'when it happens');
    t.ok(alone.calls >= 1);
    t.end();
  });
  t.test(`${name} happens, every other bit registered → called only for what came with it`, (t) => {
    t.equal(told(story, ALL & ~bit).during, story.also ?? 0);
    t.end();
  });
}

t.test('LAST_ACK and CLOSING, the FIN is acknowledged → SENT there too', (t) => {
  for (const order of ['passive', 'simultaneous']) {
    const scene = new Scene();
    established(scene);
    if (order === 'passive') {
      scene.farTcp.shutdown(scene.far);
      scene.rest();
    }
    const recorder = new Recorder();
    scene.hosts[0].reactor.registerHandler(SocketKind.CONNECTION, scene.near, recorder, Event.SENT);
    scene.tcp.shutdown(scene.near);
    if (order === 'simultaneous') scene.farTcp.shutdown(scene.far);
    scene.rest(5000);
    t.equal(recorder.events, Event.SENT, order);
  }
  t.end();
});

t.test('registered after the end → SENT, CLOSED and PEER_CLOSED; after a failure → FAILED, and none of them', (t) => {
  const wanted = Event.SENT | Event.CLOSED | Event.PEER_CLOSED | Event.FAILED;
  for (const end of ['order', 'half', 'reset'] as const) {
    const scene = new Scene();
    established(scene);
    if (end === 'reset') scene.farTcp.abort(scene.far);
    else scene.tcp.shutdown(scene.near);
    if (end === 'order') scene.farTcp.shutdown(scene.far);
    scene.rest(5000);
    const recorder = new Recorder();
    scene.hosts[0].reactor.registerHandler(SocketKind.CONNECTION, scene.near, recorder, wanted);
    scene.rest();
    const expected = { order: wanted & ~Event.FAILED, half: Event.SENT, reset: Event.FAILED }[end];
    t.equal(recorder.events, expected, end);
    t.equal(scene.tcp.state(scene.near), end === 'half' ? State.FIN_WAIT_2 : State.CLOSED);
  }
  t.end();
});
