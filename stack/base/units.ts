/**
 * Units that must not be mixed, kept apart by the type checker at no cost: a branded number is a number.
 * Hot functions take plain numbers and say the unit in the name; brands stand where a program meets the stack.
 */
declare const unit: unique symbol;
type Branded<Name extends string> = number & { readonly [unit]: Name };

/** Microseconds on the stack's clock: any origin, never going back, an integer below 2^53. */
export type Us = Branded<'Us'>;
/** A connection's name: row and generation in one integer below 2^53. A stale one is recognised. */
export type ConnectionId = Branded<'ConnectionId'>;
/** A listener's name, with a generation like a connection's. */
export type ListenerId = Branded<'ListenerId'>;
/** A UDP socket's name, with a generation. */
export type UdpId = Branded<'UdpId'>;
/**
 * An IP address as everything above `net/` holds it: one int32, whatever the family. An IPv4 address is itself. A 128-bit
 * address is interned and named by its number, below 2^24: as an IPv4 address that would lie in 0.0.0.0/8, which no peer
 * can have (RFC 1122 §3.2.1.3), so the two never collide. Zero is "any" in both families.
 */
export type Address = Branded<'Address'>;
