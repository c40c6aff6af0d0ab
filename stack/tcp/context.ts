import { KeyHash } from '../base/keyed-hash.js';
import { ByteArena } from '../memory/byte-arena.js';
import { IntRing } from '../memory/ring.js';
import type { EventQueue } from '../net/event-queue.js';
import type { Network } from '../net/network.js';
import type { Clock } from '../time/clock.js';
import { TimerWheel } from '../time/timer-wheel.js';
import { TcpOptions } from '../wire/tcp-options.js';
import { Verdict } from '../wire/verdict.js';
import { AckSample } from './ack-sample.js';
import type { CongestionControl } from './congestion.js';
import { CongestionRegistry } from './congestion-registry.js';
import { ConnectionTable } from './connection-table.js';
import { CookieCache } from './cookie-cache.js';
import { ExtraPool } from './extra-rows.js';
import { Holders } from './holders.js';
import { IcmpReports } from './icmp-reports.js';
import type { TcpLimits } from './limits.js';
import type { ListenerTable } from './listener-table.js';
import { MarkPool } from './mark-pool.js';
import { resolveProfile, type TcpProfile } from './profile.js';
import { LINUX } from './profiles.js';
import { ReassemblyPool } from './reassembly-pool.js';
import { SavedSyns } from './saved-syns.js';
import { Segment } from './segment.js';
import { SynTable } from './syn-table.js';
import { TimeWaitTable } from './time-wait-table.js';
import { TransmitPool } from './transmit-pool.js';

export interface ContextParts {
  readonly net: Network;
  readonly clock: Clock;
  readonly events: EventQueue;
  readonly limits: TcpLimits;
  /** A module of the caller's, registered and made the default. */
  readonly congestion?: CongestionControl | undefined;
  readonly listeners: ListenerTable;
  /** Four secret words: for the indexes, sequence numbers, ports and timestamps. */
  readonly secret: Int32Array;
}

/**
 * What every function of this folder works on: the tables, the queues, the segment at hand. Data only; the functions are
 * beside it, one concern a file. Arrays never move, so a function may hold them in locals.
 */
export class TcpContext {
  readonly net: Network;
  readonly clock: Clock;
  readonly events: EventQueue;
  readonly limits: TcpLimits;
  readonly profile: TcpProfile;
  /** Bits of `Behaviour`. */
  readonly behaviour: number;
  readonly table: ConnectionTable;
  /** `table`'s arrays, one step nearer. */
  readonly hot: Int32Array;
  readonly cold: Int32Array;
  /** A cold row that belongs to no connection: what a woken one would hold is worked out there (sleep.ts). */
  readonly spareRow: number;
  readonly names: Int32Array;
  readonly tally: Int32Array;
  readonly tallies: boolean;
  readonly synTable: SynTable;
  readonly timeWaits: TimeWaitTable;
  readonly listeners: ListenerTable;
  readonly arena: ByteArena;
  readonly holders: Holders;
  /** With fewer free chunks there is pressure, or a crisis (memory.ts). */
  readonly pressureBelow: number;
  readonly crisisBelow: number;
  readonly reassembly: ReassemblyPool;
  readonly transmits: TransmitPool;
  /** What few connections have: extra-rows.ts, send-marks.ts. */
  readonly extras: ExtraPool;
  readonly marks: MarkPool;
  readonly icmpReports = new IcmpReports();
  readonly savedSyns: SavedSyns;
  readonly wheel: TimerWheel;
  /** Connections that output must look at, in the order they were marked. Each stands in it once: Flag.MARKED says so. */
  readonly marked = new IntRing(256);
  /** Somebody found no cold row since the last flush. */
  rowsWanted = false;
  /** Connections that found no memory at all, in the order they asked: WRITABLE follows when there is some, or what waits is sent. */
  readonly starved = new IntRing();
  /** Those that found no room for their frames, still marked, by `Network.wayTo` + 1. */
  readonly blocked: IntRing[] = [];
  /** The queue that the connection sends by whose output is at hand (`wayOf`). */
  way = 0;
  /** A timer that came up late waits for the next look; see `expireTimers`. */
  putOff = false;
  readonly seg = new Segment();
  readonly ack = new AckSample();
  readonly options = new TcpOptions();
  readonly secret: Int32Array;
  readonly congestions: CongestionRegistry;
  /** Fast Open: what cookies are made with, and those we were given. */
  fastOpenKeys: Int32Array;
  readonly cookieCache: CookieCache;
  /** Connections that are the stack's alone and not yet in FIN-WAIT-2 or TIME-WAIT. */
  orphans = 0;
  /** Challenge ACKs left in this second, RFC 5961 §7, and the second. */
  challengeLeft: number;
  challengeSecond = 0;
  /** What a function that returns a row decided about the segment when it returns none. */
  verdict: Verdict = Verdict.OK;
  /** Set while a frame's note is wanted: the row its connection had, and its state before. */
  noteRow = -1;
  noteStateBefore = 0;
  noteUnaBefore = 0;
  noteNxtBefore = 0;

  constructor(parts: ContextParts) {
    const { limits, secret } = parts;
    this.net = parts.net;
    this.clock = parts.clock;
    this.events = parts.events;
    this.limits = limits;
    this.profile = resolveProfile(limits.profile);
    this.behaviour = this.profile.behaviour ?? LINUX.behaviour ?? 0;
    this.listeners = parts.listeners;
    this.congestions = new CongestionRegistry(limits.congestion, parts.congestion);
    this.secret = secret;
    this.fastOpenKeys = secret.map((word) => word ^ FAST_OPEN_KEY);
    this.cookieCache = new CookieCache(secret[1] ^ FAST_OPEN_KEY, secret[3]);
    // One for all tables that are asked for the same segment.
    const hash = new KeyHash(secret[0], secret[1]);
    this.table = new ConnectionTable(limits, hash);
    this.hot = this.table.hot;
    this.cold = this.table.cold;
    this.spareRow = this.table.spareRow;
    this.names = this.table.names;
    this.tally = this.table.tally;
    this.tallies = limits.tally;
    this.synTable = new SynTable(limits.synReceivedMax, hash, parts.clock.ms);
    this.timeWaits = new TimeWaitTable(limits.timeWaitMax, hash);
    this.arena = new ByteArena({
      chunksMax: Math.max(16, Math.ceil(limits.bufferBytesMax / 4096)),
      memory: limits.bufferMemory,
      slices: true,
    });
    this.holders = new Holders(limits.activeMax, this.arena);
    this.pressureBelow = Math.ceil((this.arena.chunksMax * 3) / 4);
    this.crisisBelow = Math.ceil(this.arena.chunksMax / 8);
    this.reassembly = new ReassemblyPool(limits.outOfOrderMax);
    this.transmits = new TransmitPool(limits.transmitRecordsMax);
    this.extras = new ExtraPool(limits.activeMax);
    this.marks = new MarkPool(limits.sendMarksMax);
    this.savedSyns = new SavedSyns(limits.savedSynsMax, limits.connectionsMax, limits.synReceivedMax);
    this.wheel = new TimerWheel(limits.connectionsMax, parts.clock.ms);
    this.challengeLeft = limits.challengeAcksPerSecond;
  }
}

/** Keeps the key of Fast Open's cookies apart from other uses of the secret. */
const FAST_OPEN_KEY = 0x74666f6b;
