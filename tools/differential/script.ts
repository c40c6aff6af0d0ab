import { icmpText } from '../../src/packetdrill/language/icmp-names.js';
import { printPacket } from '../../src/packetdrill/wire/print.js';
import { errnoName } from '../../src/posix/errno.js';
import type { Action, CallAction, CallReturned, Done, Happening, Recording, SegmentAction, Sequence } from './step.js';

/** As compare.ts has it, for timers of a length like those of a sequence. */
const TOLERANCE_US = 60_000;

interface Line {
  readonly us: number;
  readonly text: string;
}

/** What one side did, as a packetdrill script: it passes there, and fails on a side that does otherwise. `untilStep`: where it ends. */
export function scriptOf(
  sequence: Sequence,
  recording: Recording,
  settings: readonly (readonly [string, string])[],
  comments: readonly string[],
  untilUs = Infinity,
): string {
  const lines = events(sequence, recording).filter(({ us }) => us <= untilUs);
  return [
    ...comments.map((comment) => `// ${comment}`),
    `--tolerance_usecs=${TOLERANCE_US}`,
    ...settings.map(([name, value]) => `\`sysctl -q ${name}="${value.replaceAll('\t', ' ')}"\``),
    '',
    ...lines.map(({ us, text }) => `${(us / 1e6).toFixed(6).padStart(9)} ${text}`),
    '',
  ].join('\n');
}

/** In the order in which they happened: a step, then what came of it. */
function events(sequence: Sequence, recording: Recording): Line[] {
  const lines: Line[] = [];
  const happenings = [...recording.happenings];
  const takeUpTo = (step: number) => {
    while (happenings[0] !== undefined && happenings[0].step <= step) {
      const each = happenings.shift() as Happening;
      if (each.kind === 'packet') lines.push({ us: each.us, text: `> ${each.text}` });
    }
  };
  for (const [i, { action }] of sequence.steps.entries()) {
    const done = recording.steps[i];
    if (done === undefined) break;
    if (!done.skipped) {
      const returned = recording.happenings.find(
        (each): each is CallReturned => each.kind === 'call' && each.step === i + 1,
      );
      lines.push({ us: done.us, text: stepText(action, done, returned) });
    }
    takeUpTo(i + 1);
  }
  return lines;
}

function stepText(action: Action, done: Done, returned: CallReturned | undefined): string {
  if (action.kind === 'segment') return `< ${segmentText(action, done)}`;
  if (action.kind === 'icmp') return `< icmp ${icmpText(4, action.type, action.code)} [${action.seq}:${action.seq}(0)]`;
  const result = returned?.result ?? 0;
  const errno = result < 0 ? ` ${errnoName(returned?.errno ?? 0)} (it fails)` : '';
  return `${callText(action, returned)} = ${result}${errno}`;
}

function segmentText(action: SegmentAction, done: Done): string {
  const options = action.options.map((option) => (option.kind === 'TS' ? { ...option, ecr: done.echo } : option));
  const range = { start: action.seq, end: (action.seq + action.length) >>> 0, length: action.length };
  return printPacket({ ...action, protocol: 'tcp', marks: {}, ports: undefined, range, options });
}

function callText(action: CallAction, returned: CallReturned | undefined): string {
  const { fd } = action;
  switch (action.name) {
    case 'socket':
      return 'socket(..., SOCK_STREAM, IPPROTO_TCP)';
    case 'nonblock':
      return `fcntl(${fd}, F_SETFL, O_RDWR|O_NONBLOCK)`;
    case 'bind':
    case 'connect':
    case 'accept':
      return `${action.name}(${fd}, ..., ...)`;
    case 'close':
      return `close(${fd})`;
    case 'listen':
      return `listen(${fd}, ${action.backlog})`;
    case 'recv':
      return `recv(${fd}, ..., ${action.length}, ${action.flags.join('|') || '0'})`;
    case 'send':
      return `send(${fd}, ..., ${action.length}, ${[...action.flags, 'MSG_NOSIGNAL'].join('|')})`;
    case 'shutdown':
      return `shutdown(${fd}, ${action.how})`;
    case 'ioctl':
      return `ioctl(${fd}, ${action.request}, [${returned?.value ?? 0}])`;
    case 'poll': {
      const events = action.events.join('|');
      return `poll([{fd=${fd}, events=${events}, revents=${returned?.value ?? 0}}], 1, 0)`;
    }
    case 'setsockopt': {
      const [first, second] = action.value;
      const value = second === undefined ? `[${first}]` : `{onoff=${first}, linger=${second}}`;
      return `setsockopt(${fd}, ${action.level}, ${action.option}, ${value}, ${4 * action.value.length})`;
    }
    case 'getsockopt': {
      // SO_LINGER and TCP_INFO's are structures; the first number is all that is compared.
      const value = returned?.value ?? '0';
      const shown = action.option === 'SO_LINGER' ? `{onoff=${value}, linger=0}` : `[${value}]`;
      return `getsockopt(${fd}, ${action.level}, ${action.option}, ${shown}, [${action.option === 'SO_LINGER' ? 8 : 4}])`;
    }
  }
}
