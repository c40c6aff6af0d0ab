/**
 * What became of a received frame. A verdict is an integer: dropping costs a counter, not an exception. Each has a name, a
 * reason in words and the section that decides it (`verdict-text.ts`: RFC 9293 for most of TCP's, RFC 1122 for most of
 * IP's), which the trace prints. Below `FIRST_DROP` it was used.
 */
export const enum Verdict {
  /** Used: went where it was meant to go. */
  OK = 0,
  /** TCP: used, but only part of it lay in the window. */
  TRIMMED = 1,
  /** TCP: kept out of order until the gap before it is filled. */
  OUT_OF_ORDER = 2,
  /** IP: a fragment, kept until the others have come. */
  FRAGMENT_KEPT = 3,

  // Link
  FRAME_TOO_SHORT = 8,
  NOT_FOR_US = 9,
  ETHERTYPE_UNKNOWN = 10,
  VLAN_NOT_OURS = 11,
  // ARP
  ARP_TOO_SHORT = 12,
  ARP_MALFORMED = 13,
  ARP_NOT_FOR_US = 14,
  ARP_RATE_LIMITED = 15,
  // IPv4
  IP_TOO_SHORT = 16,
  IP_VERSION = 17,
  IP_HEADER_LENGTH = 18,
  IP_TOTAL_LENGTH = 19,
  IP_CHECKSUM = 20,
  IP_OPTIONS = 21,
  IP_SOURCE_INVALID = 22,
  IP_NOT_FOR_US = 23,
  IP_PROTOCOL_UNKNOWN = 24,
  IP_SOURCE_ROUTED = 25,
  FRAGMENT_OVERLAP = 26,
  FRAGMENT_TOO_BIG = 27,
  FRAGMENT_LIMIT = 28,
  FRAGMENT_MALFORMED = 29,
  FRAGMENT_TIMEOUT = 30,
  FRAGMENT_DUPLICATE = 31,
  // ICMP
  ICMP_TOO_SHORT = 32,
  ICMP_CHECKSUM = 33,
  ICMP_TYPE_UNKNOWN = 34,
  ICMP_QUOTE_INVALID = 35,
  ICMP_RATE_LIMITED = 36,
  ICMP_BROADCAST = 37,
  ICMP_IMPLAUSIBLE = 38,
  // UDP
  UDP_TOO_SHORT = 40,
  UDP_LENGTH = 41,
  UDP_CHECKSUM = 42,
  UDP_NO_PORT = 43,
  UDP_QUEUE_FULL = 44,
  // TCP: header
  TCP_TOO_SHORT = 48,
  TCP_DATA_OFFSET = 49,
  TCP_CHECKSUM = 50,
  TCP_OPTION_LENGTH = 51,
  TCP_FLAGS = 52,
  TCP_BROADCAST = 53,
  // TCP: segment arrives
  TCP_NO_CONNECTION = 56,
  TCP_SEQUENCE = 57,
  TCP_PAWS = 58,
  TCP_RST_INVALID = 59,
  TCP_RST_CHALLENGED = 60,
  TCP_SYN_IN_WINDOW = 61,
  TCP_NO_ACK = 62,
  TCP_ACK_UNSENT = 63,
  TCP_ACK_TOO_OLD = 64,
  TCP_DUPLICATE = 65,
  TCP_WINDOW_CLOSED = 66,
  TCP_MEMORY = 67,
  TCP_REASSEMBLY_LIMIT = 68,
  TCP_SYN_QUEUE_FULL = 69,
  TCP_ACCEPT_QUEUE_FULL = 70,
  TCP_AFTER_CLOSE = 71,
  TCP_RESET = 72,
  TCP_ACK_UNACCEPTABLE = 73,
  TCP_CONNECTION_LIMIT = 74,
  TCP_TIME_WAIT = 75,
  TCP_SIGNATURE = 76,
  TCP_DEFERRED = 77,
  TCP_TTL_TOO_LOW = 78,
  TCP_SYN_RATE_LIMITED = 79,
  // Sending
  NO_ROUTE = 80,
  NO_NEIGHBOR = 81,
  NEIGHBOR_PENDING = 82,
  NEIGHBOR_QUEUE_FULL = 83,
  NO_BUFFER = 84,
  TOO_BIG = 85,
  INTERFACE_DOWN = 86,
  ANSWER_QUEUE_FULL = 87,

  COUNT = 96,
}

/** Verdicts from here on are drops. */
export const FIRST_DROP = 8;
