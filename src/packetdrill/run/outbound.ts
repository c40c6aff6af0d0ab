import { TcpFlag } from '../../../stack/wire/tcp.js';
import type { PacketEvent, ScriptPacket, TcpOption, TcpPacket } from '../language/ast.js';
import { ScriptError } from '../language/script-error.js';
import { difference, type Piece, WHOLE } from '../wire/match.js';
import { printPacket } from '../wire/print.js';
import type { SeenDatagram } from '../wire/read.js';
import type { ScriptSocket } from './connections.js';
import { Mismatch } from './failure.js';
import type { Stage } from './stage.js';
import { type Due, secondsText } from './timing.js';

/** After a packet that did not come in time, so long is looked for what came instead: it makes a better complaint. */
const LOOK_ON_US = 130e6;

/** What packetdrill does with a packet that only we complain of. */
export const IGNORED = 'packetdrill ignores it (--as-packetdrill)';

/** The script says that the stack sends this, now. Returns when it was seen. */
export function expectPacket(stage: Stage, event: PacketEvent, due: Due): number {
  const { packet } = event;
  if (packet.protocol === 'icmp') {
    const seen = next(stage, event, due);
    judge(stage, event, due, packet, seen, WHOLE);
    return seen.timeUs;
  }
  const socket = expectedSocket(stage, event, packet);
  return packet.protocol === 'tcp'
    ? expectTcp(stage, event, due, packet, socket)
    : expectUdp(stage, event, due, packet, socket);
}

function expectedSocket(stage: Stage, event: PacketEvent, packet: ScriptPacket): ScriptSocket {
  const ports = packet.protocol === 'icmp' ? undefined : packet.ports;
  const connecting = packet.protocol === 'tcp' && (packet.flags & TcpFlag.SYN) !== 0;
  const socket = stage.connections.ofScript(ports?.source, ports?.destination, connecting);
  if (socket === undefined) throw new ScriptError(event.place, 'no socket of the script can send this packet');
  if (socket.script.ports === undefined && ports !== undefined) socket.script.ports = ports;
  return socket;
}

/**
 * A scripted segment of more bytes than one segment carries stands for several, all alike but for their place: a kernel leaves the cutting to
 * the device. With --strict_segments each is written for itself.
 */
function expectTcp(stage: Stage, event: PacketEvent, due: Due, packet: TcpPacket, socket: ScriptSocket): number {
  let at = packet.range.start;
  let atUs = 0;
  for (;;) {
    if (at !== packet.range.start) awaitPiece(stage, event, due, packet, at);
    const seen = nextOf(stage, event, due, socket);
    const live = ofSocket(stage, event, seen, packet, socket);
    learn(socket, packet, live, seen);
    const first = at === packet.range.start;
    const inScript = inScriptTerms(socket, packet, live);
    const left = (packet.range.end - at) >>> 0;
    const divides = !stage.settings.strictSegments && inScript.range.length > 0 && inScript.range.length < left;
    const continues = inScript.range.start === at && inScript.range.length <= left;
    const last = !divides;
    // packetdrill sees a burst before it is cut, with the PSH that the last piece will have.
    const push = last && (first || stage.settings.asPacketdrill);
    const piece: Piece = continues ? { first, last, push } : WHOLE;
    judge(stage, event, due, packet, seen, piece, inScript);
    checkTimestamp(stage, event, due, packet, live, socket);
    socket.lastSeen = inScript;
    atUs = Math.max(atUs, seen.timeUs);
    at = inScript.range.end;
    if (!divides || !continues) return atUs;
  }
}

/** Of a segment that came in part, the rest. */
function awaitPiece(stage: Stage, event: PacketEvent, due: Due, packet: TcpPacket, at: number): void {
  const limitUs = due.any ? Infinity : due.toUs + due.toleranceUs;
  if (stage.clock.awaitSent(limitUs, event.place)) return;
  const { start, length } = packet.range;
  const came = (at - start) >>> 0;
  throw new Mismatch(
    event.place,
    `payload bytes: expected ${length}, seen ${came}`,
    expectedText(event, due),
    stage.trace.lastLine,
  );
}

function expectUdp(stage: Stage, event: PacketEvent, due: Due, packet: ScriptPacket, socket: ScriptSocket): number {
  const seen = nextUdp(stage, event, due);
  if (seen.packet?.protocol === 'udp' && seen.packet.ports !== undefined) {
    socket.live.localAddress = seen.source;
    socket.live.localPort = seen.packet.ports.source;
    socket.live.remoteAddress = seen.destination;
    socket.live.remotePort = seen.packet.ports.destination;
  }
  judge(stage, event, due, packet, seen, WHOLE);
  return seen.timeUs;
}

/** A socket for UDP has no port that is known before its first datagram: what is not of UDP is of others. */
function nextUdp(stage: Stage, event: PacketEvent, due: Due): SeenDatagram {
  for (;;) {
    const seen = next(stage, event, due);
    if (!stage.settings.asPacketdrill || seen.packet?.protocol === 'udp') return seen;
  }
}

/** The next datagram nobody has looked at, waited for as long as it may still come in time. */
function next(stage: Stage, event: PacketEvent, due: Due): SeenDatagram {
  const { clock } = stage;
  const { place } = event;
  if (!clock.awaitSent(due.any ? Infinity : due.toUs + due.toleranceUs, place)) {
    const byUs = due.toUs;
    const came = clock.awaitSent(clock.nowUs + LOOK_ON_US, place) ? clock.oldest : undefined;
    const seen = came === undefined ? 'nothing' : `${secondsText(came.timeUs)} > ${stage.trace.sentText(came)}`;
    throw new Mismatch(
      place,
      byUs === Infinity
        ? 'nothing was sent, and nothing is waiting to be'
        : `nothing was sent by ${secondsText(byUs)} s`,
      expectedText(event, due),
      seen,
    );
  }
  const seen = clock.oldest;
  if (seen === undefined) throw new ScriptError(place, 'no packet');
  clock.take();
  if (seen.fault !== undefined)
    throw new Mismatch(place, `the stack sent ${seen.fault}`, expectedText(event, due), seen.fault);
  return seen;
}

/** The next that is of the socket. Those of others are passed over where packets are judged as packetdrill judges them. */
function nextOf(stage: Stage, event: PacketEvent, due: Due, socket: ScriptSocket): SeenDatagram {
  for (;;) {
    const seen = next(stage, event, due);
    if (!stage.settings.asPacketdrill || senderOf(stage, seen) === socket) return seen;
    stage.note(`line ${event.place.line}: not looked at: ${secondsText(seen.timeUs)} > ${stage.trace.sentText(seen)}`);
  }
}

/** The script's socket that a segment or a UDP datagram is of. */
function senderOf(stage: Stage, { packet, source, destination }: SeenDatagram): ScriptSocket | undefined {
  if (packet === undefined || packet.protocol === 'icmp' || packet.ports === undefined) return undefined;
  return stage.connections.bySent({ source, destination, ports: packet.ports });
}

/** The segment, when it is of the connection that is meant. */
function ofSocket(
  stage: Stage,
  event: PacketEvent,
  seen: SeenDatagram,
  expected: TcpPacket,
  socket: ScriptSocket,
): TcpPacket {
  if (seen.packet?.protocol === 'tcp' && senderOf(stage, seen) === socket) return seen.packet;
  throw new Mismatch(
    event.place,
    `an unexpected packet, not of the connection that is meant; ${IGNORED}`,
    `> ${printPacket(expected)}`,
    `${secondsText(seen.timeUs)} > ${stage.trace.sentText(seen)}`,
  );
}

/** What the first segments tell of the stack's end: its port and its initial sequence number. */
function learn(socket: ScriptSocket, expected: TcpPacket, live: TcpPacket, seen: SeenDatagram): void {
  const syn = (live.flags & TcpFlag.SYN) !== 0;
  const ack = (live.flags & TcpFlag.ACK) !== 0;
  if (socket.state === 'connecting') {
    socket.state = 'syn-sent';
    socket.live.localAddress = seen.source;
    socket.live.localPort = live.ports?.source ?? 0;
    socket.live.localIsn = live.range.start;
    socket.script.local = expected.range.start;
  } else if (socket.state === 'passive-arrived' && syn && ack) {
    socket.state = 'passive-answered';
    socket.live.localIsn = live.range.start;
    socket.script.local = expected.range.start;
  }
}

/** Timestamps are the stack's own affair: where both have one, it is shown as the script's. */
function inScriptTerms(socket: ScriptSocket, expected: TcpPacket, live: TcpPacket): TcpPacket {
  const packet = socket.toScript(live);
  const wanted = timestampOf(expected.options);
  if (wanted === undefined) return packet;
  return {
    ...packet,
    options: packet.options?.map((option) => (option.kind === 'TS' ? { ...option, val: wanted.val } : option)),
  };
}

function judge(
  stage: Stage,
  event: PacketEvent,
  due: Due,
  expected: ScriptPacket,
  seen: SeenDatagram,
  piece: Piece,
  packet = seen.packet,
): void {
  const seenText = () =>
    `${secondsText(seen.timeUs)} > ${packet === undefined ? stage.trace.sentText(seen) : printPacket(packet, expected.marks)}`;
  const compared = stage.settings.tsEcrScaled ? withoutEcr(expected, packet) : expected;
  const differs = packet === undefined ? 'a packet of an unknown kind' : difference(compared, packet, piece);
  if (differs !== undefined) throw new Mismatch(event.place, differs, expectedText(event, due), seenText());
  try {
    stage.timing.check(event, 'the packet', due, seen.timeUs);
  } catch (error) {
    if (error instanceof Mismatch) throw new Mismatch(error.place, error.message, expectedText(event, due), seenText());
    throw error;
  }
}

/** The expected packet with the echo that was seen: in ticks of another size it cannot be compared. */
function withoutEcr(expected: ScriptPacket, seen: ScriptPacket | undefined): ScriptPacket {
  if (expected.protocol !== 'tcp' || seen?.protocol !== 'tcp') return expected;
  const ecr = timestampOf(seen.options)?.ecr;
  if (ecr === undefined || expected.options === undefined) return expected;
  return {
    ...expected,
    options: expected.options.map((option) => (option.kind === 'TS' ? { ...option, ecr } : option)),
  };
}

/**
 * The value is remembered for when the script echoes it. With --tcp_ts_tick_usecs it must also have gone on since the first as the
 * script's values have, within the tolerance of the event.
 */
function checkTimestamp(
  stage: Stage,
  event: PacketEvent,
  due: Due,
  expected: TcpPacket,
  live: TcpPacket,
  socket: ScriptSocket,
): void {
  const wanted = timestampOf(expected.options);
  const sent = timestampOf(live.options);
  if (wanted === undefined || sent === undefined) return;
  socket.mapTimestamp(wanted.val, sent.val);
  const { tsTickUs } = stage.settings;
  if (tsTickUs === 0) return;
  socket.firstTimestamp ??= { script: wanted.val, live: sent.val, scriptUs: due.fromUs };
  const { script, live: first, scriptUs } = socket.firstTimestamp;
  const seenVal = (script + (sent.val - first)) >>> 0;
  const toleranceUs = Math.max(stage.timing.tolerance(due.fromUs - scriptUs), tsTickUs);
  if (Math.abs((seenVal - wanted.val) | 0) * tsTickUs <= toleranceUs) return;
  throw new Mismatch(event.place, `timestamp: expected TS val ${wanted.val}, seen ${seenVal}`);
}

function timestampOf(options: readonly TcpOption[] | undefined): Extract<TcpOption, { kind: 'TS' }> | undefined {
  const found = options?.find((option) => option.kind === 'TS');
  return found?.kind === 'TS' ? found : undefined;
}

function expectedText(event: PacketEvent, due: Due): string {
  return `${due.any ? '*' : secondsText(due.fromUs)} > ${printPacket(event.packet, event.packet.marks)}`;
}

/**
 * What was sent and never looked at. A script that ends with a packet has described all that was sent by then (`describedCount`). Otherwise only that counts which time has gone
 * past: at its very end a script may leave unsaid what its last call gives rise to, and those of Linux do.
 */
export function findLeftOver(stage: Stage, describedCount: number, endUs: number): SeenDatagram | undefined {
  return stage.clock.unseen.find((seen, i) => i < describedCount || seen.timeUs < endUs);
}
