import { FILE, MESSAGE, SOCKET } from '../../src/posix/constants.js';
import { ERRNO } from '../../src/posix/errno.js';
import { ScriptedWorld } from '../../src/posix/scripted-world.js';
import type { Outcome, PendingCall, PollFd } from '../../src/posix/socket-calls.js';
import type { ProfileName } from '../../stack/tcp/profiles.js';
import { Conversation, type Endpoint, type Ends } from './conversation.js';
import type { Recording, Sequence } from './step.js';

/** Every conversation of ours has a stack of its own, so all may have the same ends. */
export const OWN_ENDS: Ends = { localPort: 8080, remoteHost: '192.0.2.1', remotePort: 40_000 };

/** As the kernel hands segments to a device without offload: each for itself, PSH at the end of a burst. */
export function ownWorld(profile: ProfileName, settings: ReadonlyMap<string, string>): ScriptedWorld {
  const world = new ScriptedWorld({ profile, pushBursts: true });
  // Only what differs: some are told and cannot be set.
  for (const [name, value] of settings) if (world.getSysctl(name) !== value) world.setSysctl(name, value);
  return world;
}

/**
 * The steps of `sequence` to our stack, at the instants at which the kernel got them. `held`: by step, since when timers wait for it, µs: as the kernel's
 * did, which come up late.
 */
export function playOwn(
  sequence: Sequence,
  kernel: Recording,
  held: ReadonlyMap<number, number>,
  profile: ProfileName,
  settings: ReadonlyMap<string, string>,
): Recording {
  const world = ownWorld(profile, settings);
  try {
    const startUs = world.nowUs;
    const conversation = new Conversation(new WorldEndpoint(world), OWN_ENDS);
    const collect = () => {
      for (let each = world.takeSent(); each !== undefined; each = world.takeSent())
        conversation.sent(each.datagram, each.timeUs - startUs);
    };
    const goTo = (us: number) => {
      world.advance(startUs + us);
      collect();
    };
    for (const [i, step] of sequence.steps.entries()) {
      const us = kernel.steps[i]?.us;
      if (us === undefined) break;
      const sinceUs = held.get(i);
      if (sinceUs === undefined) goTo(us);
      else {
        if (startUs + sinceUs - 1 > world.nowUs) goTo(sinceUs - 1);
        world.advanceLate(startUs + us);
      }
      conversation.perform(step, us);
      collect();
    }
    goTo(kernel.endUs);
    return conversation.finish(kernel.endUs);
  } finally {
    world.close();
  }
}

class WorldEndpoint implements Endpoint {
  constructor(private readonly world: ScriptedWorld) {}

  private get calls() {
    return this.world.calls;
  }

  socket(): Outcome {
    return this.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, SOCKET.IPPROTO_TCP);
  }

  nonblock(fd: number): Outcome {
    return this.calls.fcntl(fd, FILE.F_SETFL, FILE.O_RDWR | FILE.O_NONBLOCK);
  }

  bind(fd: number, host: string, port: number): Outcome {
    return this.calls.bind(fd, { family: SOCKET.AF_INET, host, port });
  }

  listen(fd: number, backlog: number): Outcome {
    return this.calls.listen(fd, backlog);
  }

  accept(fd: number): Outcome {
    return finished(this.calls.accept(fd));
  }

  connect(fd: number, host: string, port: number): Outcome {
    return finished(this.calls.connect(fd, { family: SOCKET.AF_INET, host, port }));
  }

  recv(fd: number, length: number, flags: number): Outcome {
    return finished(this.calls.recv(fd, length, flags | MESSAGE.MSG_DONTWAIT));
  }

  send(fd: number, length: number, flags: number): Outcome {
    return finished(this.calls.send(fd, new Uint8Array(length), flags | MESSAGE.MSG_NOSIGNAL | MESSAGE.MSG_DONTWAIT));
  }

  shutdown(fd: number, how: number): Outcome {
    return this.calls.shutdown(fd, how);
  }

  close(fd: number): Outcome {
    return finished(this.calls.close(fd));
  }

  ioctl(fd: number, request: number): Outcome {
    return this.calls.ioctl(fd, request);
  }

  poll(fd: number, events: number): Outcome {
    const one: PollFd = { fd, events, revents: 0 };
    const outcome = finished(this.calls.poll([one], 0));
    return { ...outcome, data: new Uint8Array(Int32Array.of(one.revents).buffer) };
  }

  getsockopt(fd: number, level: number, option: number, capacity: number): Outcome {
    return this.calls.getsockopt(fd, level, option, capacity);
  }

  setsockopt(fd: number, level: number, option: number, value: Uint8Array): Outcome {
    return this.calls.setsockopt(fd, level, option, value);
  }

  deliver(datagram: Uint8Array): void {
    this.world.deliver(datagram);
  }
}

/** Of a call that waits although nothing may: a difference of its own, which the recording shows as EINTR. */
function finished(call: PendingCall): Outcome {
  const { outcome } = call;
  if (outcome !== undefined) return outcome;
  call.cancel();
  return { result: -1, errno: ERRNO.EINTR };
}
