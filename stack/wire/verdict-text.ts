import { Verdict } from './verdict.js';

/** A verdict's name, what it means in words, and the section that decides it: for the trace and for counters by name. */
type Entry = readonly [name: string, text: string, section: string];

/** The type makes a verdict without its line a compile error. */
const ENTRIES: Readonly<Record<Exclude<Verdict, Verdict.COUNT>, Entry>> = {
  [Verdict.OK]: ['OK', 'used', ''],
  [Verdict.TRIMMED]: ['TRIMMED', 'used in part: the rest lies outside the window', 'RFC 9293 §3.10.7.4'],
  [Verdict.OUT_OF_ORDER]: ['OUT_OF_ORDER', 'kept until the gap before it is filled', 'RFC 9293 §3.10.7.4'],
  [Verdict.FRAGMENT_KEPT]: ['FRAGMENT_KEPT', 'kept until the other fragments have come', 'RFC 791 §3.2'],

  [Verdict.FRAME_TOO_SHORT]: ['FRAME_TOO_SHORT', 'the frame ends within its link header', 'RFC 894'],
  [Verdict.NOT_FOR_US]: ['NOT_FOR_US', 'sent to another MAC address', ''],
  [Verdict.ETHERTYPE_UNKNOWN]: ['ETHERTYPE_UNKNOWN', 'no protocol of ours has this Ethernet type', 'RFC 894'],
  [Verdict.VLAN_NOT_OURS]: ['VLAN_NOT_OURS', 'tagged for a VLAN we are not in', 'IEEE 802.1Q'],

  [Verdict.ARP_TOO_SHORT]: ['ARP_TOO_SHORT', 'the frame ends within the ARP packet', 'RFC 826'],
  [Verdict.ARP_MALFORMED]: ['ARP_MALFORMED', 'not ARP for IPv4 over Ethernet, or from a group address', 'RFC 826'],
  [Verdict.ARP_NOT_FOR_US]: ['ARP_NOT_FOR_US', 'asks for an address that is not ours', 'RFC 826'],
  [Verdict.ARP_RATE_LIMITED]: ['ARP_RATE_LIMITED', 'more requests than we answer', ''],

  [Verdict.IP_TOO_SHORT]: ['IP_TOO_SHORT', 'the frame ends within the IP header', 'RFC 791 §3.1'],
  [Verdict.IP_VERSION]: ['IP_VERSION', 'the version is not the one the link announced', 'RFC 1122 §3.2.1.1'],
  [Verdict.IP_HEADER_LENGTH]: [
    'IP_HEADER_LENGTH',
    'the header length is below its minimum or past the frame',
    'RFC 791 §3.1',
  ],
  [Verdict.IP_TOTAL_LENGTH]: [
    'IP_TOTAL_LENGTH',
    'the total length is shorter than the header or longer than the frame',
    'RFC 791 §3.1',
  ],
  [Verdict.IP_CHECKSUM]: ['IP_CHECKSUM', 'the header checksum is wrong', 'RFC 1122 §3.2.1.2'],
  [Verdict.IP_OPTIONS]: ['IP_OPTIONS', 'an option lies about its length', 'RFC 1122 §3.2.1.8'],
  [Verdict.IP_SOURCE_INVALID]: [
    'IP_SOURCE_INVALID',
    'the source is an address no host may send from',
    'RFC 1122 §3.2.1.3',
  ],
  [Verdict.IP_NOT_FOR_US]: ['IP_NOT_FOR_US', 'sent to another IP address, and we do not forward', 'RFC 1122 §3.2.1.3'],
  [Verdict.IP_PROTOCOL_UNKNOWN]: ['IP_PROTOCOL_UNKNOWN', 'nobody takes this protocol', 'RFC 1122 §3.2.2.1'],
  [Verdict.IP_SOURCE_ROUTED]: ['IP_SOURCE_ROUTED', 'carries a source route, which we refuse', 'RFC 1122 §3.2.1.8'],
  [Verdict.FRAGMENT_OVERLAP]: ['FRAGMENT_OVERLAP', 'overlaps a fragment that came before', 'RFC 5722 §4'],
  [Verdict.FRAGMENT_TOO_BIG]: ['FRAGMENT_TOO_BIG', 'reaches past the longest datagram', 'RFC 791 §3.1'],
  [Verdict.FRAGMENT_LIMIT]: ['FRAGMENT_LIMIT', 'no room for another fragment', 'RFC 1122 §3.3.2'],
  [Verdict.FRAGMENT_MALFORMED]: [
    'FRAGMENT_MALFORMED',
    'empty, not a multiple of eight bytes, or at odds with the datagram’s end',
    'RFC 791 §3.2',
  ],
  [Verdict.FRAGMENT_DUPLICATE]: ['FRAGMENT_DUPLICATE', 'all of it has come before', 'RFC 8200 §4.5'],
  [Verdict.FRAGMENT_TIMEOUT]: ['FRAGMENT_TIMEOUT', 'the other fragments did not come in time', 'RFC 1122 §3.3.2'],

  [Verdict.ICMP_TOO_SHORT]: ['ICMP_TOO_SHORT', 'the datagram ends within the ICMP header', 'RFC 792'],
  [Verdict.ICMP_CHECKSUM]: ['ICMP_CHECKSUM', 'the ICMP checksum is wrong', 'RFC 792'],
  [Verdict.ICMP_TYPE_UNKNOWN]: ['ICMP_TYPE_UNKNOWN', 'an ICMP type we have no use for', 'RFC 1122 §3.2.2'],
  [Verdict.ICMP_QUOTE_INVALID]: ['ICMP_QUOTE_INVALID', 'quotes too little to tell what it is about', 'RFC 1122 §3.2.2'],
  [Verdict.ICMP_RATE_LIMITED]: ['ICMP_RATE_LIMITED', 'more of these than we answer', 'RFC 1812 §4.3.2.8'],
  [Verdict.ICMP_BROADCAST]: ['ICMP_BROADCAST', 'sent to everyone, and not answered', 'RFC 1122 §3.2.2.6'],
  [Verdict.ICMP_IMPLAUSIBLE]: ['ICMP_IMPLAUSIBLE', 'quotes nothing that we have under way', 'RFC 5927 §4'],

  [Verdict.UDP_TOO_SHORT]: ['UDP_TOO_SHORT', 'the datagram ends within the UDP header', 'RFC 768'],
  [Verdict.UDP_LENGTH]: ['UDP_LENGTH', 'the UDP length is below its minimum or past the datagram', 'RFC 768'],
  [Verdict.UDP_CHECKSUM]: ['UDP_CHECKSUM', 'the UDP checksum is wrong', 'RFC 1122 §4.1.3.4'],
  [Verdict.UDP_NO_PORT]: ['UDP_NO_PORT', 'nobody has this port', 'RFC 1122 §4.1.3.1'],
  [Verdict.UDP_QUEUE_FULL]: ['UDP_QUEUE_FULL', 'the program has not read what came before', 'RFC 768'],

  [Verdict.TCP_TOO_SHORT]: ['TCP_TOO_SHORT', 'the datagram ends within the TCP header', 'RFC 9293 §3.1'],
  [Verdict.TCP_DATA_OFFSET]: [
    'TCP_DATA_OFFSET',
    'the data offset is below its minimum or past the segment',
    'RFC 9293 §3.1',
  ],
  [Verdict.TCP_CHECKSUM]: ['TCP_CHECKSUM', 'the TCP checksum is wrong', 'RFC 9293 §3.1'],
  [Verdict.TCP_OPTION_LENGTH]: ['TCP_OPTION_LENGTH', 'an option lies about its length', 'RFC 9293 §3.1'],
  [Verdict.TCP_FLAGS]: ['TCP_FLAGS', 'flags that no segment of a connection can have', 'RFC 9293 §3.10.7'],
  [Verdict.TCP_BROADCAST]: ['TCP_BROADCAST', 'sent to or from a group address', 'RFC 9293 §3.9.2.3'],

  [Verdict.TCP_NO_CONNECTION]: ['TCP_NO_CONNECTION', 'belongs to no connection', 'RFC 9293 §3.10.7.1'],
  [Verdict.TCP_SEQUENCE]: ['TCP_SEQUENCE', 'no part of it lies in the window', 'RFC 9293 §3.10.7.4'],
  [Verdict.TCP_PAWS]: ['TCP_PAWS', 'its timestamp is older than one already seen', 'RFC 7323 §5.3'],
  [Verdict.TCP_RST_INVALID]: ['TCP_RST_INVALID', 'a reset outside the window', 'RFC 5961 §3.2'],
  [Verdict.TCP_RST_CHALLENGED]: [
    'TCP_RST_CHALLENGED',
    'a reset in the window but not at its left edge: challenged',
    'RFC 5961 §3.2',
  ],
  [Verdict.TCP_SYN_IN_WINDOW]: ['TCP_SYN_IN_WINDOW', 'a SYN for a connection that is up: challenged', 'RFC 5961 §4.2'],
  [Verdict.TCP_NO_ACK]: ['TCP_NO_ACK', 'no ACK bit where one is required', 'RFC 9293 §3.10.7.4'],
  [Verdict.TCP_ACK_UNSENT]: ['TCP_ACK_UNSENT', 'acknowledges what was never sent', 'RFC 9293 §3.10.7.4'],
  [Verdict.TCP_ACK_TOO_OLD]: ['TCP_ACK_TOO_OLD', 'acknowledges what lies too far back', 'RFC 5961 §5.2'],
  [Verdict.TCP_DUPLICATE]: ['TCP_DUPLICATE', 'brings only what was already received', 'RFC 9293 §3.10.7.4'],
  [Verdict.TCP_WINDOW_CLOSED]: ['TCP_WINDOW_CLOSED', 'data while our window is zero', 'RFC 9293 §3.10.7.4'],
  [Verdict.TCP_MEMORY]: ['TCP_MEMORY', 'no memory to keep its data in', 'RFC 9293 §3.8.6'],
  [Verdict.TCP_REASSEMBLY_LIMIT]: [
    'TCP_REASSEMBLY_LIMIT',
    'out of order, and too many gaps are open already',
    'RFC 9293 §3.10.7.4',
  ],
  [Verdict.TCP_SYN_QUEUE_FULL]: ['TCP_SYN_QUEUE_FULL', 'the listener has too many handshakes open', 'RFC 4987 §3'],
  [Verdict.TCP_ACCEPT_QUEUE_FULL]: [
    'TCP_ACCEPT_QUEUE_FULL',
    'the program has not accepted the connections that wait',
    'RFC 9293 §3.10.7.2',
  ],
  [Verdict.TCP_AFTER_CLOSE]: ['TCP_AFTER_CLOSE', 'data for a connection the program has closed', 'RFC 1122 §4.2.2.13'],
  [Verdict.TCP_RESET]: ['TCP_RESET', 'ended the connection', 'RFC 9293 §3.10.7.4'],
  [Verdict.TCP_ACK_UNACCEPTABLE]: [
    'TCP_ACK_UNACCEPTABLE',
    'acknowledges something other than our SYN',
    'RFC 9293 §3.10.7.3',
  ],
  [Verdict.TCP_CONNECTION_LIMIT]: [
    'TCP_CONNECTION_LIMIT',
    'as many connections as the table holds',
    'RFC 9293 §3.10.1',
  ],
  [Verdict.TCP_TIME_WAIT]: ['TCP_TIME_WAIT', 'an old duplicate for a connection in TIME-WAIT', 'RFC 9293 §3.10.7.4'],
  [Verdict.TCP_TTL_TOO_LOW]: ['TCP_TTL_TOO_LOW', 'from farther away than IP_MINTTL allows', 'RFC 5082 §3'],
  [Verdict.TCP_SIGNATURE]: ['TCP_SIGNATURE', 'its signature is missing, wrong or not expected', 'RFC 5925 §7.3'],
  [Verdict.TCP_DEFERRED]: ['TCP_DEFERRED', 'the listener waits for data before it offers the connection', ''],
  [Verdict.TCP_SYN_RATE_LIMITED]: ['TCP_SYN_RATE_LIMITED', 'more SYNs in a second than we answer', ''],

  [Verdict.NO_ROUTE]: ['NO_ROUTE', 'no route to the destination', 'RFC 1122 §3.3.1'],
  [Verdict.NO_NEIGHBOR]: [
    'NO_NEIGHBOR',
    'the next hop is not known, and too many were asked for to answer strangers',
    'RFC 6583 §6.4',
  ],
  [Verdict.NEIGHBOR_PENDING]: ['NEIGHBOR_PENDING', 'waits for the next hop’s link address', 'RFC 1122 §2.3.2.2'],
  [Verdict.NEIGHBOR_QUEUE_FULL]: [
    'NEIGHBOR_QUEUE_FULL',
    'too many already wait for the next hop’s link address',
    'RFC 4861 §7.2.2',
  ],
  [Verdict.NO_BUFFER]: ['NO_BUFFER', 'no frame slot is free', ''],
  [Verdict.TOO_BIG]: ['TOO_BIG', 'longer than the path takes, and not to be fragmented', 'RFC 1191 §3'],
  [Verdict.INTERFACE_DOWN]: ['INTERFACE_DOWN', 'the interface is down', ''],
  [Verdict.ANSWER_QUEUE_FULL]: ['ANSWER_QUEUE_FULL', 'too many answers to strangers wait for the device', ''],
};

const NONE: Entry = ['UNKNOWN', 'no such verdict', ''];

/** An integer may come from anywhere: a recording, an older version. */
function entryOf(verdict: Verdict): Entry {
  const table: Readonly<Partial<Record<number, Entry>>> = ENTRIES;
  return table[verdict] ?? NONE;
}

/** `TCP_CHECKSUM` */
export function verdictName(verdict: Verdict): string {
  return entryOf(verdict)[0];
}
/** `the TCP checksum is wrong` */
export function verdictText(verdict: Verdict): string {
  return entryOf(verdict)[1];
}
/** `RFC 9293 §3.1`; empty where no standard decides. */
export function verdictSection(verdict: Verdict): string {
  return entryOf(verdict)[2];
}
/** Every verdict there is, in order: for tables of counters. Control path. */
export function verdicts(): Verdict[] {
  return Object.keys(ENTRIES).map(Number);
}
