import type { TcpOption } from '../../src/packetdrill/language/ast.js';
import { Prng } from '../../stack/base/prng.js';
import { TcpFlag } from '../../stack/wire/tcp.js';
import { LISTENER_OPTIONS, STREAM_OPTIONS } from './sockopts.js';
import type { Action, CallAction, ScriptFd, SegmentAction, Sequence, Step } from './step.js';

const SYN = TcpFlag.SYN;
const ACK = TcpFlag.ACK;
const FIN = TcpFlag.FIN;
const RST = TcpFlag.RST;
const PSH = TcpFlag.PSH;
const URG = TcpFlag.URG;

/** The peer's clock at the first segment, in milliseconds. */
const STAMP = 1000;
/** Between steps: at once, or clearly before or behind the timers (delayed ACK 40 ms, RTO 200 ms), which else would fall together with steps. */
const GAPS_US = [0, 0, 0, 0, 2000, 12_000, 12_000, 85_000, 130_000];
const TAILS_US = [5000, 20_000, 120_000, 320_000];
/** The waits of one sequence, so that a thousand of them end. */
const WAITS_US_MAX = 600_000;

/** What the peer has agreed to and what either side has said: enough to make numbers that mean something. */
export class Draft {
  readonly random: Prng;
  readonly steps: Step[] = [];
  fd: ScriptFd = 4;
  stamps = false;
  sack = false;
  mss = 1460;
  /** The peer's next number, and the first that it left out. */
  peerNext = 1;
  /** What the program has written, plus what SYN and FIN count. */
  written = 1;
  acked = 1;
  ended = false;
  window = 20_000;
  private waitedUs = 0;

  constructor(readonly seed: number) {
    this.random = new Prng(seed);
  }

  chance(percent: number): boolean {
    return this.random.below(100) < percent;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.random.below(values.length)] as T;
  }

  add(action: Action, gapUs = this.pick(GAPS_US)): void {
    const gap = this.waitedUs + gapUs > WAITS_US_MAX ? 0 : gapUs;
    this.waitedUs += gap;
    this.steps.push({ gapUs: gap, action });
  }

  call(action: CallBody, gapUs?: number): void {
    this.add({ kind: 'call', fd: this.fd, ...action } as CallAction, gapUs);
  }

  /** The peer's clock, moved by `byMs`. */
  stampOption(byMs = 0): TcpOption[] {
    if (!this.stamps) return [];
    const val = (STAMP + Math.floor(this.waitedUs / 1000) + byMs) >>> 0;
    return [{ kind: 'nop' }, { kind: 'nop' }, { kind: 'TS', val, ecr: 0 }];
  }

  segment(flags: number, more: Partial<SegmentAction> = {}, gapUs = this.pick(GAPS_US)): void {
    const at = this.steps.length;
    this.add(
      {
        kind: 'segment',
        flags,
        seq: this.peerNext,
        length: 0,
        ack: undefined,
        window: this.window,
        urgent: undefined,
        options: [],
        ...more,
      },
      gapUs,
    );
    const step = this.steps[at];
    // After the gap, which the peer's clock has gone on by.
    if (step !== undefined && more.options === undefined)
      this.steps[at] = { ...step, action: { ...step.action, options: this.stampOption() } as SegmentAction };
  }
}

type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never;
type CallBody = Without<CallAction, 'kind' | 'fd'>;

/** The sequence of a seed: the same on every machine. */
export function generate(seed: number): Sequence {
  const draft = new Draft(seed);
  draft.fd = 3;
  draft.call({ name: 'socket' }, 0);
  draft.call({ name: 'nonblock' }, 0);
  while (draft.chance(20)) draft.call({ name: 'setsockopt', ...draft.pick(LISTENER_OPTIONS) }, 0);
  draft.call({ name: 'bind' }, 0);
  if (draft.chance(65)) passive(draft);
  else active(draft);
  const count = 2 + draft.random.below(11);
  for (let i = 0; i < count; i++) draft.pick(BODY)(draft);
  return { seed, steps: draft.steps, tailUs: draft.pick(TAILS_US) };
}

function synOptions(draft: Draft): TcpOption[] {
  const options: TcpOption[] = [];
  const mss = draft.pick([1460, 1460, 1000, 1000, 536, 100, 0]);
  draft.mss = mss === 0 ? 536 : mss;
  if (mss > 0) options.push({ kind: 'mss', value: mss });
  draft.sack = draft.chance(65);
  if (draft.sack) options.push({ kind: 'sackOK' });
  draft.stamps = draft.chance(45);
  if (draft.stamps) options.push({ kind: 'TS', val: STAMP, ecr: 0 });
  if (draft.chance(50)) options.push({ kind: 'nop' }, { kind: 'wscale', value: draft.pick([0, 2, 7, 14, 15]) });
  while (options.reduce((sum, option) => sum + bytesOf(option), 0) % 4 !== 0) options.push({ kind: 'nop' });
  return options;
}

function bytesOf(option: TcpOption): number {
  switch (option.kind) {
    case 'mss':
      return 4;
    case 'sackOK':
      return 2;
    case 'TS':
      return 10;
    case 'wscale':
      return 3;
    default:
      return 1;
  }
}

function passive(draft: Draft): void {
  draft.call({ name: 'listen', backlog: 5 }, 0);
  const options = synOptions(draft);
  const syn = { seq: 0, options };
  draft.segment(SYN, syn, 0);
  if (draft.chance(15)) beforeTheAck(draft, syn);
  draft.segment(ACK, { ack: 1, seq: 1 });
  draft.call({ name: 'accept' }, 0);
  draft.fd = 4;
  draft.call({ name: 'nonblock' }, 0);
  while (draft.chance(25)) draft.call({ name: 'setsockopt', ...draft.pick(STREAM_OPTIONS) }, 0);
}

/** SYN-RECEIVED, RFC 9293 §3.10.7.4. */
function beforeTheAck(draft: Draft, syn: Partial<SegmentAction>): void {
  const cases: readonly (() => void)[] = [
    () => draft.segment(SYN, syn),
    () => draft.segment(SYN, { ...syn, seq: 100 }),
    () => draft.segment(ACK, { ack: draft.pick([0, 2, 1000]) }),
    () => draft.segment(RST, { seq: draft.pick([0, 1, 2, 100_000]) }),
    () => draft.segment(RST | ACK, { seq: 1, ack: draft.pick([0, 1, 2]) }),
    () => draft.segment(FIN | ACK, { ack: 1 }),
    () => draft.segment(SYN | ACK, { seq: 0, ack: 1 }),
    () => draft.segment(PSH, { length: 10 }),
    () => draft.segment(PSH | ACK, { length: 10, ack: 1, seq: 11 }),
    () => draft.call({ name: 'close' }),
    () => draft.call({ name: 'poll', events: ['POLLIN', 'POLLOUT'] }),
    () => icmp(draft, 0),
  ];
  draft.pick(cases)();
}

function active(draft: Draft): void {
  draft.call({ name: 'connect' }, 0);
  const options = synOptions(draft);
  if (draft.chance(20)) beforeTheSynAck(draft, options);
  draft.segment(SYN | ACK, { seq: 0, ack: 1, options });
  draft.call({ name: 'getsockopt', level: 'SOL_SOCKET', option: 'SO_ERROR' }, 0);
  while (draft.chance(25)) draft.call({ name: 'setsockopt', ...draft.pick(STREAM_OPTIONS) }, 0);
}

/** SYN-SENT, RFC 9293 §3.10.7.3. */
function beforeTheSynAck(draft: Draft, options: readonly TcpOption[]): void {
  const cases: readonly (() => void)[] = [
    () => draft.segment(SYN | ACK, { seq: 0, ack: draft.pick([0, 2, 1000]), options }),
    () => draft.segment(ACK, { seq: 0, ack: draft.pick([0, 1, 2]) }),
    () => draft.segment(RST, { seq: 0 }),
    () => draft.segment(RST | ACK, { seq: 0, ack: draft.pick([0, 1, 2]) }),
    () => draft.segment(SYN, { seq: 0, options }),
    () => draft.segment(FIN | ACK, { seq: 0, ack: 1 }),
    () => draft.call({ name: 'connect' }),
    () => draft.call({ name: 'send', length: 100, flags: [] }),
    () => draft.call({ name: 'recv', length: 100, flags: [] }),
    () => draft.call({ name: 'shutdown', how: 'SHUT_WR' }),
    () => draft.call({ name: 'poll', events: ['POLLIN', 'POLLOUT'] }),
    () => draft.call({ name: 'close' }),
    () => icmp(draft, 0),
  ];
  draft.pick(cases)();
}

const CODES: readonly (readonly [number, number])[] = [
  [3, 0],
  [3, 1],
  [3, 2],
  [3, 3],
  [3, 13],
  [11, 0],
  [12, 0],
];

function icmp(draft: Draft, seq: number): void {
  const [type, code] = draft.pick(CODES);
  draft.add({ kind: 'icmp', type, code, mtu: undefined, seq });
}

/** An acknowledgment number: mostly of all, sometimes of a part, of what is old, of what was never sent. */
function ackOf(draft: Draft): number {
  const roll = draft.random.below(100);
  if (roll < 60) draft.acked = draft.written;
  else if (roll < 75) draft.acked = Math.min(draft.written, draft.acked + draft.mss);
  else if (roll < 80) return Math.max(0, draft.acked - draft.pick([1, 10, 1000]));
  else if (roll < 85) return draft.written + draft.pick([1, 1000, 100_000]);
  return draft.acked;
}

function data(draft: Draft): void {
  const length = draft.pick([1, 10, 100, draft.mss, draft.mss, 2 * draft.mss]);
  const bytes = Math.min(length, 1460);
  draft.segment(draft.chance(70) ? PSH | ACK : ACK, { length: bytes, ack: ackOf(draft) });
  draft.peerNext += bytes;
}

/** A hole is left, which a later segment may fill. */
function reordered(draft: Draft): void {
  const [first, second] = [draft.pick([10, 500, 1000]), draft.pick([10, 500, 1000])];
  const at = draft.peerNext;
  const ack = ackOf(draft);
  draft.segment(PSH | ACK, { seq: at + first, length: second, ack });
  if (draft.chance(30)) draft.segment(PSH | ACK, { seq: at + first, length: second, ack });
  if (draft.chance(75)) {
    draft.segment(PSH | ACK, { seq: at, length: draft.chance(70) ? first : first + second, ack });
    draft.peerNext = at + first + second;
  }
}

/** What was there already, in whole or in part. */
function again(draft: Draft): void {
  const back = Math.min(draft.peerNext - 1, draft.pick([1, 10, 500, 1000]));
  const seq = draft.peerNext - back;
  draft.segment(PSH | ACK, { seq, length: back + draft.pick([0, 0, 10]), ack: ackOf(draft) });
  const last = draft.steps.at(-1)?.action;
  if (last?.kind === 'segment') draft.peerNext = Math.max(draft.peerNext, last.seq + last.length);
}

function duplicateAcks(draft: Draft): void {
  const count = 1 + draft.random.below(4);
  for (let i = 0; i < count; i++) {
    const options = draft.stampOption();
    const left = draft.acked + draft.mss * (1 + i);
    if (draft.sack && left < draft.written && draft.chance(80)) {
      const right = Math.min(draft.written, left + draft.mss);
      options.push({ kind: 'nop' }, { kind: 'nop' }, { kind: 'sack', blocks: [{ left, right }] });
    }
    draft.segment(ACK, { ack: draft.acked, options }, draft.pick([0, 0, 2000]));
  }
}

function windows(draft: Draft): void {
  draft.window = draft.pick([0, 0, 1, 500, 2000, 20_000, 65_535]);
  draft.segment(ACK, { ack: ackOf(draft) });
}

function reset(draft: Draft): void {
  const seq = draft.peerNext + draft.pick([0, 0, 0, 1, 100, -1, 1_000_000]);
  draft.segment(draft.chance(60) ? RST : RST | ACK, {
    seq: seq >>> 0,
    ack: draft.chance(60) ? draft.acked : undefined,
  });
  const last = draft.steps.at(-1);
  // A RST with an ACK says what it acknowledges.
  if (last?.action.kind === 'segment' && (last.action.flags & ACK) === 0)
    draft.steps[draft.steps.length - 1] = { ...last, action: { ...last.action, ack: undefined } };
  else if (last?.action.kind === 'segment' && last.action.ack === undefined)
    draft.steps[draft.steps.length - 1] = { ...last, action: { ...last.action, ack: draft.acked } };
}

function end(draft: Draft): void {
  const length = draft.pick([0, 0, 100]);
  draft.segment(FIN | ACK, { length, ack: ackOf(draft) });
  draft.peerNext += length + 1;
}

function urgent(draft: Draft): void {
  const length = draft.pick([1, 10, 100]);
  draft.segment(PSH | ACK | URG, { length, ack: ackOf(draft), urgent: draft.pick([1, length, length + 5, 0]) });
  draft.peerNext += length;
}

function staleStamp(draft: Draft): void {
  const length = draft.pick([0, 10]);
  const options = draft.stampOption(draft.pick([-500, -10_000, 5000]));
  draft.segment(PSH | ACK, { length, ack: ackOf(draft), options });
}

function strangeFlags(draft: Draft): void {
  const flags = draft.pick([SYN, SYN | ACK, 0, PSH, FIN, SYN | FIN]);
  const seq = draft.peerNext + draft.pick([0, 0, -1, 1000]);
  draft.segment(flags, { seq: seq >>> 0, ack: (flags & ACK) === 0 ? undefined : draft.acked });
}

function outOfWindow(draft: Draft): void {
  const seq = (draft.peerNext + draft.pick([200_000, -100_000, 70_000])) >>> 0;
  draft.segment(PSH | ACK, { seq, length: draft.pick([0, 10]), ack: draft.acked });
}

function send(draft: Draft): void {
  const length = draft.pick([1, 10, 100, draft.mss, draft.mss, 3 * draft.mss, 5 * draft.mss + 7, 9 * draft.mss]);
  const flags = draft.pick<readonly string[]>([[], [], [], [], ['MSG_MORE'], ['MSG_OOB'], ['MSG_EOR']]);
  draft.call({ name: 'send', length, flags });
  if (!draft.ended) draft.written += length;
}

function finish(draft: Draft): void {
  const name = draft.pick(['close', 'SHUT_WR', 'SHUT_WR', 'SHUT_RD', 'SHUT_RDWR'] as const);
  if (name === 'close') draft.call({ name });
  else draft.call({ name: 'shutdown', how: name });
  if (name !== 'SHUT_RD' && !draft.ended) {
    draft.ended = true;
    draft.written += 1;
  }
}

const recv = (draft: Draft) => {
  const flags = draft.pick<readonly string[]>([[], [], [], [], ['MSG_PEEK'], ['MSG_OOB'], ['MSG_TRUNC']]);
  draft.call({ name: 'recv', length: draft.pick([1, 5, 100, 5000, 5000]), flags });
};

const look = (draft: Draft) => {
  const kind = draft.random.below(4);
  if (kind === 0) draft.call({ name: 'ioctl', request: draft.pick(['SIOCINQ', 'SIOCOUTQ', 'SIOCOUTQNSD'] as const) });
  else if (kind === 1) draft.call({ name: 'getsockopt', level: 'SOL_SOCKET', option: 'SO_ERROR' });
  else draft.call({ name: 'poll', events: ['POLLIN', 'POLLPRI', 'POLLOUT', 'POLLRDHUP'] });
};

/** What can happen to a connection; the more often it stands here, the more often it does. */
const BODY: readonly ((draft: Draft) => void)[] = [
  ...[data, data, data, data, reordered, reordered, again, duplicateAcks, duplicateAcks, windows, windows],
  ...[send, send, send, send, send, recv, recv, recv, look, look, finish, finish, end, end],
  ...[reset, urgent, staleStamp, strangeFlags, outOfWindow],
  (draft) => draft.segment(ACK, { ack: ackOf(draft) }),
  (draft) => draft.segment(ACK, { ack: ackOf(draft) }),
  (draft) => icmp(draft, draft.acked),
  (draft) => draft.call({ name: 'setsockopt', ...draft.pick(STREAM_OPTIONS) }),
  (draft) => {
    const { level, option } = draft.pick(STREAM_OPTIONS);
    draft.call({ name: 'getsockopt', level, option });
  },
];
