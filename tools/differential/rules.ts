import { TcpFlag } from '../../stack/wire/tcp.js';
import type { Difference } from './compare.js';
import type { PacketSent, Recording, Sequence } from './step.js';

/** A deviation that is meant: narrow, so that it hides no other. */
export interface Rule {
  readonly name: string;
  /** Where the RFC or the kernel says so. */
  readonly why: string;
  covers(difference: Difference, both: Played): boolean;
}

/** What a rule may look at. */
export interface Played {
  readonly sequence: Sequence;
  readonly kernel: Recording;
  readonly own: Recording;
}

export const RULES: readonly Rule[] = [
  {
    name: 'urgent-push',
    why: 'RFC 9293 §3.9.1.2 leaves PSH to the sender; tcp_write_xmit makes no bursts in urgent mode, and tcp_fragment leaves PSH to the last piece',
    covers: (difference) => {
      const pair = packetsOf(difference);
      if (pair === undefined) return false;
      return /^(?:\[[^\]]*\] )?P?U/.test(pair.kernel.compared) && withoutPush(pair.kernel) === withoutPush(pair.own);
    },
  },
  {
    name: 'urgent-probe',
    why: 'RFC 9293 §3.8.6.1: a probe lies below SND.UNA; tcp_write_wakeup sends one more at SND.UNA while data is urgent',
    covers: (difference) => {
      const pair = packetsOf(difference);
      if (pair === undefined) return false;
      return (
        [pair.kernel, pair.own].every(({ compared }) => /^U?\. \d+:\d+\(0\) /.test(compared)) &&
        /^U/.test(pair.kernel.compared)
      );
    },
  },
  {
    name: 'failed-syn-counts',
    why: 'SIOCOUTQ is what the peer has not acknowledged; tcp_ioctl counts the SYN of a connection that failed before it stood, once it has failed',
    covers: ({ kernel, own }, { kernel: { happenings } }) => {
      if (kernel?.kind !== 'call' || own?.kind !== 'call' || kernel.value !== '[1]' || own.value !== '[0]') return false;
      const sent = happenings.filter((each) => each.kind === 'packet' && each.us < kernel.us);
      return sent.length > 0 && sent.every((each) => each.kind === 'packet' && /^(?:\[[^\]]*\] )?S /.test(each.compared));
    },
  },
  {
    name: 'window-growth',
    why: 'tcp_input.c, tcp_grow_window: the window opens by the memory that segments take, and so by how a driver allocates it',
    covers: (difference) => {
      const pair = packetsOf(difference);
      if (pair === undefined) return false;
      const [kernel, own] = [windowOf(pair.kernel), windowOf(pair.own)];
      return kernel > 0 && own > 0 && withoutWindow(pair.kernel) === withoutWindow(pair.own);
    },
  },
  {
    name: 'fin-tick',
    why: 'tcp_fin lets the ACK of a FIN wait for the next tick, of 4 ms, which began at any time; ours is 1 ms, and another step came in between',
    covers: ({ kernel, own }, { sequence, kernel: { steps } }) => {
      if (own?.kind !== 'packet' || kernel?.kind === 'call') return false;
      if (!/^(?:\[[^\]]*\] )?\. \d+:\d+\(0\) /.test(own.compared)) return false;
      return sequence.steps.some(({ action }, i) => {
        const [at, next] = [steps[i], steps[i + 1]];
        if (action.kind !== 'segment' || (action.flags & TcpFlag.FIN) === 0) return false;
        if (at === undefined || next === undefined || own.us < at.us) return false;
        return own.us <= next.us && next.us - at.us < TICK_US;
      });
    },
  },
  {
    name: 'old-ack-predicted',
    why: 'RFC 5961 §5.2: a segment whose ACK is too old is discarded; tcp_rcv_established takes one that header prediction expected, and its timestamp',
    covers: (difference, { sequence }) => {
      const pair = packetsOf(difference);
      const before = sequence.steps
        .slice(0, difference.step)
        .flatMap(({ action }) => (action.kind === 'segment' && (action.flags & TcpFlag.ACK) !== 0 ? [action] : []));
      const old = before.some(({ ack }, i) => ack === 0 && before.slice(0, i).some((each) => (each.ack ?? 0) > 0));
      return old && pair !== undefined && withoutReceived(pair.kernel) === withoutReceived(pair.own);
    },
  },
  {
    name: 'maxseg-for-default',
    why: 'RFC 9293 §3.7.1, MUST-15: without an MSS option the send MSS is 536; tcp_connect_init puts TCP_MAXSEG in its place',
    covers: (difference, { sequence }) => {
      const pair = packetsOf(difference);
      if (pair === undefined || pair.kernel.compared.split(':')[0] !== pair.own.compared.split(':')[0]) return false;
      const asked = sequence.steps.some(
        ({ action }) => action.kind === 'call' && action.name === 'setsockopt' && action.option === 'TCP_MAXSEG',
      );
      const syns = sequence.steps.flatMap(({ action }) =>
        action.kind === 'segment' && (action.flags & TcpFlag.SYN) !== 0 ? [action] : [],
      );
      const connects = sequence.steps.some(({ action }) => action.kind === 'call' && action.name === 'connect');
      return connects && asked && syns.every(({ options }) => options.every(({ kind }) => kind !== 'mss'));
    },
  },
  {
    name: 'crossed-syns',
    why: 'RFC 7323 §2.2: a window scale is answered only where one was offered; tcp_send_synack repeats the options of our own SYN',
    covers: (difference, { sequence }) => {
      const pair = packetsOf(difference);
      const connects = sequence.steps.some(({ action }) => action.kind === 'call' && action.name === 'connect');
      return connects && pair !== undefined && [pair.kernel, pair.own].every(({ compared }) => / ?S\. /.test(compared));
    },
  },
  {
    name: 'urgent-inline',
    why: 'RFC 6093 §6: urgent data is delivered in line; tcp_check_urg takes the byte out of the stream, and takes a pointer of 0 for one',
    covers: ({ what, step }, { sequence }) => {
      const call = sequence.steps[step - 1]?.action;
      if (what !== 'call' || call?.kind !== 'call' || !['recv', 'poll', 'ioctl'].includes(call.name)) return false;
      const before = sequence.steps.slice(0, step);
      return before.some(({ action }) => action.kind === 'segment' && (action.flags & TcpFlag.URG) !== 0);
    },
  },
];

function withoutPush({ compared }: PacketSent): string {
  return compared.replace(/(^|\] )P/, '$1');
}

function windowOf({ compared }: PacketSent): number {
  return Number(/ win (\d+)/.exec(compared)?.[1] ?? 0);
}

function withoutWindow({ compared }: PacketSent): string {
  return compared.replace(/ win \d+/, '');
}

/** HZ is 250 in most distributions. */
const TICK_US = 4000;

/** Without what says how far the other side has got: acknowledgment, window and the timestamp echoed. */
function withoutReceived({ compared }: PacketSent): string {
  return compared
    .replace(/ ack \d+/, '')
    .replace(/ win \d+/, '')
    .replace(/ ecr \d+/, '');
}

function packetsOf({ kernel, own }: Difference): { kernel: PacketSent; own: PacketSent } | undefined {
  return kernel?.kind === 'packet' && own?.kind === 'packet' ? { kernel, own } : undefined;
}

export function ruleFor(difference: Difference, both: Played): Rule | undefined {
  return RULES.find((rule) => rule.covers(difference, both));
}
