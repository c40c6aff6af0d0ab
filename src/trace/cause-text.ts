import { Cause } from '../../stack/net/note.js';

/** Why a frame was sent, in words, and the section that asks for it; an empty section where it is the program's wish. */
export interface CauseText {
  readonly text: string;
  readonly section: string;
}

const NO_CAUSE: CauseText = { text: 'no cause noted', section: '' };

const CAUSES: readonly (CauseText | undefined)[] = table([
  [Cause.ARP_REQUEST, 'ARP request: the next hop has no known address', 'RFC 826'],
  [Cause.ARP_REPLY, 'ARP reply: somebody asked for our address', 'RFC 826'],
  [Cause.ARP_ANNOUNCE, 'ARP announcement: our address is in use', 'RFC 5227 §2.3'],
  [Cause.ICMP_ECHO_REPLY, 'echo reply', 'RFC 1122 §3.2.2.6'],
  [Cause.ICMP_ECHO_REQUEST, 'echo request', 'RFC 792'],
  [Cause.ICMP_ERROR, 'ICMP error: a datagram could not be delivered', 'RFC 1122 §3.2.2'],
  [Cause.UDP_DATA, 'datagram', 'RFC 768'],
  [Cause.SYN, 'SYN: active OPEN', 'RFC 9293 §3.10.1'],
  [Cause.SYN_ACK, 'SYN-ACK: a SYN came to a listener', 'RFC 9293 §3.10.7.2'],
  [Cause.DATA, 'data', ''],
  [Cause.FIN, 'FIN: the program has no more to send', 'RFC 9293 §3.10.4'],
  [Cause.ACK_NOW, 'ACK now: what came is not to wait', 'RFC 9293 §3.8.6.3'],
  [Cause.ACK_DELAYED, 'ACK delayed: its time ran out', 'RFC 9293 §3.8.6.3'],
  [Cause.ACK_DUPLICATE, 'duplicate ACK: a segment came out of order', 'RFC 5681 §4.2'],
  [Cause.WINDOW_UPDATE, 'window update: the program has read', 'RFC 9293 §3.8.6.2.2'],
  [Cause.RETRANSMIT_TIMEOUT, 'retransmission: the retransmission timer ran out', 'RFC 6298 §5'],
  [Cause.RETRANSMIT_FAST, 'retransmission: duplicate ACKs', 'RFC 5681 §3.2'],
  [Cause.RETRANSMIT_PARTIAL_ACK, 'retransmission: partial ACK during recovery', 'RFC 6582 §3.2'],
  [Cause.RETRANSMIT_PATH_MTU, 'retransmission: the path takes less at a time', 'RFC 1191 §6.4'],
  [Cause.LIMITED_TRANSMIT, 'limited transmit: new data on an early duplicate ACK', 'RFC 3042 §2'],
  [Cause.ZERO_WINDOW_PROBE, 'zero-window probe', 'RFC 9293 §3.8.6.1'],
  [Cause.KEEPALIVE, 'keepalive: the peer was quiet', 'RFC 9293 §3.8.4'],
  [Cause.CHALLENGE_ACK, 'challenge ACK: a SYN, RST or ACK that may be forged', 'RFC 5961 §3.2'],
  [Cause.TIME_WAIT_ACK, "TIME-WAIT ACK: the peer's FIN came again", 'RFC 9293 §3.10.7.4'],
  [Cause.RST_NO_CONNECTION, 'RST: no such connection', 'RFC 9293 §3.5.2'],
  [Cause.RST_UNACCEPTABLE_ACK, 'RST: it acknowledges what was never sent', 'RFC 9293 §3.5.2'],
  [Cause.RST_ABORT, 'RST: the program aborted', 'RFC 9293 §3.10.5'],
  [Cause.RST_UNREAD_DATA, 'RST: closed with bytes unread', 'RFC 9293 §3.6.1'],
  [Cause.RST_ECN_MIXED, 'RST: the SYN asks for another kind of ECN than the one before', 'RFC 9768 §3.1.5'],
  [Cause.RST_DATA_AFTER_CLOSE, 'RST: data came after the close', 'RFC 9293 §3.6.1'],
  [Cause.RST_TIMEOUT, 'RST: the peer was given up', 'RFC 9293 §3.8.3'],
  [Cause.RST_LISTENER_CLOSED, 'RST: the listener was closed', 'RFC 9293 §3.10.4'],
  [Cause.URGENT, 'urgent data', 'RFC 9293 §3.8.5'],
  [Cause.LOSS_PROBE, 'tail loss probe: new data after two round trips of silence', 'RFC 8985 §7.3'],
  [Cause.RETRANSMIT_PROBE, 'tail loss probe: the last segment again', 'RFC 8985 §7.3'],
]);

export function causeText(cause: number): CauseText {
  return CAUSES[cause] ?? NO_CAUSE;
}

function table(entries: readonly (readonly [Cause, string, string])[]): (CauseText | undefined)[] {
  const causes: (CauseText | undefined)[] = new Array(Cause.COUNT).fill(undefined);
  for (const [cause, text, section] of entries) causes[cause] = { text, section };
  return causes;
}
