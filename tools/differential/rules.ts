import { TcpFlag } from '../../stack/wire/tcp.js';
import type { Difference } from './compare.js';
import type { Happening, PacketSent, Recording, Sequence } from './step.js';

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
    name: 'failed-queue-counts',
    why: 'SIOCOUTQ and SIOCOUTQNSD are what waits to be sent; tcp_ioctl counts what waited when the connection failed (its SYN, too), though nothing will be sent any more',
    covers: ({ step, kernel, own }, { sequence, kernel: { happenings } }) => {
      const call = sequence.steps[step - 1]?.action;
      if (call?.kind !== 'call' || call.name !== 'ioctl' || !call.request.startsWith('SIOCOUTQ')) return false;
      if (kernel?.kind !== 'call' || own?.kind !== 'call' || kernel.result !== 0 || own.value !== '0') return false;
      const failed = sequence.steps
        .slice(0, step)
        .some(
          ({ action: each }) => each.kind === 'icmp' || (each.kind === 'segment' && (each.flags & TcpFlag.RST) !== 0),
        );
      return (
        failed || happenings.some((each) => each.kind === 'packet' && /^(?:\[[^\]]*\] )?R\.? /.test(each.compared))
      );
    },
  },
  {
    name: 'burst-deferred',
    why: 'tcp_tso_should_defer keeps the end of a burst back while little of the window is left, for an ACK to come; RFC 9293 lets it go',
    covers: ({ what, own }, { sequence, own: { happenings }, kernel }) => {
      if (what !== 'packet' || own?.kind !== 'packet' || rangeOf(own) === undefined) return false;
      const acked = Math.max(
        1,
        ...kernel.steps.map(({ us }, i) => {
          const action = sequence.steps[i]?.action;
          return us <= own.us && action?.kind === 'segment' ? (action.ack ?? 0) : 0;
        }),
      );
      // Where the kernel has stopped by then, and what we have sent from there on, within the same millisecond.
      const lastOfKernel = packetsIn(kernel.happenings).findLast(
        (each) => each.us <= own.us + 1000 && rangeOf(each) !== undefined,
      );
      const stopped = endOf(lastOfKernel);
      const data = packetsIn(happenings).filter((each) => each.us <= own.us && rangeOf(each) !== undefined);
      const beyond = data.filter((each) => endOf(each) > stopped);
      const before = data.filter((each) => endOf(each) > acked && endOf(each) <= stopped);
      const flight = new Set(before.map(rangeOf)).size;
      const lastUs = Math.max(0, ...before.map(({ us }) => us));
      return beyond.includes(own) && own.us - lastUs <= 1000 && flight >= FLIGHT_SEGMENTS;
    },
  },
  {
    name: 'probe-cut',
    why: 'RFC 8985 §7.3 sends the last segment again; tcp_send_loss_probe takes the end of the last burst, cut by the MSS of now, which options change',
    covers: (difference, { own: { happenings } }) => {
      const pair = packetsOf(difference);
      if (pair === undefined) return false;
      const [kernel, own] = [rangeOf(pair.kernel)?.split(':'), rangeOf(pair.own)?.split(':')];
      if (kernel === undefined || own === undefined || kernel[1] !== own[1]) return false;
      const again = packetsIn(happenings).some((each) => each.us < pair.own.us && rangeOf(each) === own.join(':'));
      return again && Number(kernel[0]) > Number(own[0]) && Number(kernel[0]) < Number(own[1]);
    },
  },
  {
    name: 'resent-cut',
    why: 'RFC 9293 §3.8.1 leaves to the sender how it cuts what it sends again; where an ACK ended within a segment tcp_fragment cuts the burst anew from there',
    covers: (difference, { sequence, kernel: { steps }, own: { happenings } }) => {
      const pair = packetsOf(difference);
      const [kernel, own] = [rangeOf(pair?.kernel)?.split(':'), rangeOf(pair?.own)?.split(':')];
      if (kernel === undefined || own === undefined || kernel[0] !== own[0]) return false;
      const acked = steps.some((_, i) => {
        const action = sequence.steps[i]?.action;
        return action?.kind === 'segment' && String(action.ack) === own[0];
      });
      // What we have sent before went beyond that place.
      const again = packetsIn(happenings).some(
        (each) => each.us < (pair?.own.us ?? 0) && startOf(each) < Number(own[0]) && endOf(each) > Number(own[0]),
      );
      return acked && again && Number(kernel[1]) > Number(own[1]);
    },
  },
  {
    name: 'compression-slack',
    why: 'net.ipv4.tcp_comp_sack_slack_ns: an ACK that stands for several may wait up to 0.1 ms longer, and tells of what comes meanwhile',
    covers: (difference, { sequence, kernel: { steps } }) => {
      const pair = packetsOf(difference);
      if (pair === undefined || pair.kernel.us <= pair.own.us || pair.kernel.us - pair.own.us > SLACK_US) return false;
      if (![pair.kernel, pair.own].every(({ compared }) => BARE_ACK.test(compared) && compared.includes('sack ')))
        return false;
      if (ackOf(pair.kernel) !== ackOf(pair.own)) return false;
      return steps.some(
        ({ us }, i) => us > pair.own.us && us <= pair.kernel.us && sequence.steps[i]?.action.kind === 'segment',
      );
    },
  },
  {
    name: 'time-wait-window',
    why: 'RFC 9293 §3.1: the window field has 16 bits; without a scale tcp_v4_timewait_ack writes the low ones of a window that has more',
    covers: (difference, { sequence, kernel: { happenings } }) => {
      const pair = packetsOf(difference);
      if (pair === undefined || windowOf(pair.own) !== 0xffff || withoutWindow(pair.kernel) !== withoutWindow(pair.own))
        return false;
      const fin = packetsIn(happenings).some(
        (each) => each.us < pair.kernel.us && /^(?:\[[^\]]*\] )?P?F/.test(each.compared),
      );
      // Only where both have offered one there is a scale.
      const offered = sequence.steps.some(
        ({ action }) =>
          action.kind === 'segment' &&
          (action.flags & TcpFlag.SYN) !== 0 &&
          action.options.some(({ kind }) => kind === 'wscale'),
      );
      return fin && !offered && BARE_ACK.test(pair.kernel.compared);
    },
  },
  {
    name: 'burst-push',
    why: 'RFC 9293 §3.9.1.2 leaves PSH to the sender; tcp_write_xmit sets it where a burst ends, and how long one is goes by how fast the device takes it',
    covers: (difference, { own: { happenings } }) => {
      const pair = packetsOf(difference);
      if (pair === undefined || withoutPush(pair.kernel) !== withoutPush(pair.own)) return false;
      const next = rangeOf(pair.own)?.split(':')[1];
      return happenings.some(
        (each) => each.kind === 'packet' && each.us <= pair.own.us && rangeOf(each)?.split(':')[0] === next,
      );
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
      const old = before.filter(({ ack }, i) => before.slice(0, i).some((each) => (each.ack ?? 0) > (ack ?? 0)));
      if (old.length === 0) return false;
      if (pair !== undefined && withoutReceived(pair.kernel) === withoutReceived(pair.own)) return true;
      // Or it is acknowledged, and ours is not.
      const { kernel } = difference;
      if (kernel?.kind !== 'packet' || !BARE_ACK.test(kernel.compared)) return false;
      return old.some(({ seq, length }) => length > 0 && ackOf(kernel) === seq + length);
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
    name: 'quick-after-end',
    why: 'RFC 9293 §3.3.2: in CLOSED there is no state; Linux keeps TCP_QUICKACK of a connection as it was when the FIN of both had been acknowledged',
    covers: ({ what, step, kernel, own }, { sequence, own: { happenings } }) => {
      const call = sequence.steps[step - 1]?.action;
      if (what !== 'call' || call?.kind !== 'call' || call.name !== 'getsockopt' || call.option !== 'TCP_QUICKACK')
        return false;
      if (kernel?.kind !== 'call' || own?.kind !== 'call' || kernel.value !== '0' || own.value !== '1') return false;
      const theirs = sequence.steps
        .slice(0, step)
        .some(({ action }) => action.kind === 'segment' && (action.flags & TcpFlag.FIN) !== 0);
      return (
        theirs && packetsIn(happenings).some((each) => each.us < own.us && /^(?:\[[^\]]*\] )?P?F/.test(each.compared))
      );
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

/** Two thirds of an initial window, not acknowledged: less than a third is left, which tcp_tso_win_divisor asks for. */
const FLIGHT_SEGMENTS = 7;

/** The slack, and what a machine with other work adds to it. */
const SLACK_US = 500;

const BARE_ACK = /^(?:\[[^\]]*\] )?\. \d+:\d+\(0\) /;

function ackOf({ compared }: PacketSent): number {
  return Number(/ ack (\d+)/.exec(compared)?.[1] ?? -1);
}

function windowOf({ compared }: PacketSent): number {
  return Number(/ win (\d+)/.exec(compared)?.[1] ?? 0);
}

function withoutWindow({ compared }: PacketSent): string {
  return compared.replace(/ win \d+/, '');
}

function packetsIn(happenings: readonly Happening[]): readonly PacketSent[] {
  return happenings.filter((each): each is PacketSent => each.kind === 'packet');
}

/** Which sequence numbers it carries, where it has any. */
function rangeOf(packet: PacketSent | undefined): string | undefined {
  return / (\d+:\d+)\([1-9]/.exec(packet?.compared ?? '')?.[1];
}

/** Without what says how far the other side has got: acknowledgment, window and the timestamp echoed. */
function withoutReceived({ compared }: PacketSent): string {
  return compared
    .replace(/ ack \d+/, '')
    .replace(/ win \d+/, '')
    .replace(/ ecr \d+/, '');
}

function startOf(packet: PacketSent | undefined): number {
  return Number(rangeOf(packet)?.split(':')[0] ?? 0);
}

function endOf(packet: PacketSent | undefined): number {
  return Number(rangeOf(packet)?.split(':')[1] ?? 0);
}

function packetsOf({ kernel, own }: Difference): { kernel: PacketSent; own: PacketSent } | undefined {
  return kernel?.kind === 'packet' && own?.kind === 'packet' ? { kernel, own } : undefined;
}

export function ruleFor(difference: Difference, both: Played): Rule | undefined {
  return RULES.find((rule) => rule.covers(difference, both));
}
