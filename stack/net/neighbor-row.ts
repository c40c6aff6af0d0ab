/** RFC 4861 §7.3.2, applied to ARP as Linux does (its NUD states): RFC 826 knows of no neighbour that goes away. */
export const enum NeighborState {
  FREE = 0,
  /** Asked for; nobody has answered yet. */
  INCOMPLETE = 1,
  /** Known to be there: an answer, or a transport's progress, within the last reachable time. */
  REACHABLE = 2,
  /** Was there once. Used as it is, and verified on first use. */
  STALE = 3,
  /** In use again; a transport is given five seconds to confirm before we ask. */
  DELAY = 4,
  /** Asked, by unicast. */
  PROBE = 5,
}

/** Columns of a neighbour. The first three are the key. */
export const enum Neighbor {
  ADDRESS = 0,
  IFACE = 1,
  ZERO = 2,
  STATE = 3,
  MAC_HI = 4,
  MAC_LO = 5,
  /** Requests sent in INCOMPLETE or PROBE. */
  PROBES = 6,
  USED_MS = 7,
  CONFIRMED_MS = 8,
  /** When its MAC or its state last changed. */
  UPDATED_MS = 9,
  /** This entry's reachable time. */
  REACHABLE_MS = 10,
  /** Proof: what we know of it being there. */
  PROOF = 11,
  /** Claim: for whom it is asked for. */
  CLAIM = 12,
  STRIDE = 13,
}

/** What an entry rests on. Also the list it stands in: entries without proof are kept in the order they were made, to give way in it. */
export const enum Proof {
  /** Nothing: we asked, and nobody has answered. */
  NONE = 0,
  /** Its own word: it asked us, which anybody on the link can forge. */
  HEARD = 1,
  /** It answered us, or a transport made progress through it. */
  CONFIRMED = 2,
}

/** For whom a neighbour is asked for, the most urgent of all. */
export const enum Claim {
  /** A datagram, or an answer to a stranger. */
  ANYBODY = 0,
  /** A connection of a program's: nobody but the program can have begun it. */
  CONNECTION = 1,
  /** All who are reached through it: it is a gateway. */
  GATEWAY = 2,
}

/** How a sender's address pair reached us. */
export const enum Heard {
  /** Overheard, or a reply that everybody got: may correct an entry that has not just changed, and never makes one. */
  OVERHEARD = 0,
  /** A request for an address of ours: whoever asks will be spoken to next (RFC 826's reason to learn from it). */
  ASKING_US = 1,
  /** A reply sent to us. */
  ANSWERING_US = 2,
  /** A host announces its own address (gratuitous ARP, RFC 5227 §3): corrects an entry at once, and never makes one. */
  ANNOUNCING = 3,
}
