import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { ipv4PseudoSum } from '../../../stack/wire/ipv4.js';
import {
  emitTcp,
  finishTcpChecksum,
  parseTcp,
  printTcp,
  Tcp,
  TcpFlag,
  tcpAck,
  tcpChecksum,
  tcpDestinationPort,
  tcpFlags,
  tcpHeaderBytes,
  tcpSeq,
  tcpSourcePort,
  tcpUrgentPointer,
  tcpWindow,
} from '../../../stack/wire/tcp.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { ACK, bytesOf, DATA, FIN, RST, SYN, SYN_ACK, TRANSPORT_AT, URGENT, viewOf } from './frames.js';

const LOCALHOST = 0x7f000001;
const pseudo = (length: number) => ipv4PseudoSum(LOCALHOST, LOCALHOST, 6, length);
const SEGMENTS = [SYN, SYN_ACK, ACK, DATA, URGENT, FIN, RST];

t.test('segments from Linux → OK', (t) => {
  for (const { hex, text } of SEGMENTS) {
    const view = viewOf(hex);
    const length = view.byteLength - TRANSPORT_AT;
    t.equal(parseTcp(view, TRANSPORT_AT, length, pseudo(length)), Verdict.OK, text);
  }
  t.end();
});

t.test('segments from Linux, header emitted anew from its fields → byte for byte the same, checksum included', (t) => {
  for (const { hex, text } of SEGMENTS) {
    const view = viewOf(hex);
    const length = view.byteLength - TRANSPORT_AT;
    const again = viewOf(hex);
    for (let i = 0; i < Tcp.HEADER_BYTES; i++) again.setUint8(TRANSPORT_AT + i, 0xa5);
    emitTcp(
      again,
      TRANSPORT_AT,
      tcpSourcePort(view, TRANSPORT_AT),
      tcpDestinationPort(view, TRANSPORT_AT),
      tcpSeq(view, TRANSPORT_AT),
      tcpAck(view, TRANSPORT_AT),
      tcpHeaderBytes(view, TRANSPORT_AT),
      tcpFlags(view, TRANSPORT_AT),
      tcpWindow(view, TRANSPORT_AT),
      tcpUrgentPointer(view, TRANSPORT_AT),
    );
    t.equal(tcpChecksum(again, TRANSPORT_AT), 0);
    finishTcpChecksum(again, TRANSPORT_AT, length, pseudo(length));
    t.equal(bytesOf(again), hex, text);
  }
  t.end();
});

t.test('fields of a SYN-ACK → sequence numbers as int32, whatever their highest bit', (t) => {
  const view = viewOf(SYN_ACK.hex);
  t.equal(tcpSourcePort(view, TRANSPORT_AT), 8080);
  t.equal(tcpDestinationPort(view, TRANSPORT_AT), 43912);
  t.equal(tcpSeq(view, TRANSPORT_AT), 3577022517 | 0);
  t.ok(tcpSeq(view, TRANSPORT_AT) < 0);
  t.equal(tcpAck(view, TRANSPORT_AT), 526195034);
  t.equal(tcpHeaderBytes(view, TRANSPORT_AT), 40);
  t.equal(tcpFlags(view, TRANSPORT_AT), TcpFlag.SYN | TcpFlag.ACK);
  t.equal(tcpWindow(view, TRANSPORT_AT), 65483);
  t.end();
});

t.test('each flag → its bit of RFC 9293 §3.1 and RFC 9768; the reserved bits → not among the flags', (t) => {
  const view = new DataView(new ArrayBuffer(20));
  [
    TcpFlag.FIN,
    TcpFlag.SYN,
    TcpFlag.RST,
    TcpFlag.PSH,
    TcpFlag.ACK,
    TcpFlag.URG,
    TcpFlag.ECE,
    TcpFlag.CWR,
    TcpFlag.AE,
  ].forEach((flag, bit) => {
    emitTcp(view, 0, 1, 2, 3, 4, 20, flag, 5, 6);
    t.equal(view.getUint16(12), 0x5000 | (1 << bit));
    t.equal(tcpFlags(view, 0), flag);
    t.equal(tcpHeaderBytes(view, 0), 20);
  });
  view.setUint16(12, 0x5e12);
  t.equal(tcpFlags(view, 0), 0x012);
  t.equal(parseTcp(view, 0, 20, 0, false), Verdict.OK, 'RFC 9293 §3.1: reserved bits are ignored');
  t.end();
});

t.test('every length below 20 → TCP_TOO_SHORT', (t) => {
  for (let length = 0; length < 20; length++) {
    t.equal(parseTcp(new DataView(new ArrayBuffer(20)), 20 - length, length, 0), Verdict.TCP_TOO_SHORT);
  }
  t.end();
});

t.test('a data offset below 20 or past the segment → TCP_DATA_OFFSET', (t) => {
  for (let offset = 0; offset < 16; offset++) {
    const view = viewOf(ACK.hex);
    view.setUint8(TRANSPORT_AT + Tcp.OFFSET_FLAGS, offset << 4);
    const expected = offset < 5 || offset > 8 ? Verdict.TCP_DATA_OFFSET : Verdict.TCP_CHECKSUM;
    t.equal(parseTcp(view, TRANSPORT_AT, 32, pseudo(32)), offset === 8 ? Verdict.OK : expected, `${offset}`);
  }
  t.end();
});

t.test('any bit flipped, of segment or pseudo-header → never OK', (t) => {
  const view = viewOf(DATA.hex);
  const length = view.byteLength - TRANSPORT_AT;
  for (let bit = 0; bit < length * 8; bit++) {
    const at = TRANSPORT_AT + (bit >> 3);
    view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)));
    t.not(parseTcp(view, TRANSPORT_AT, length, pseudo(length)), Verdict.OK, `bit ${bit}`);
    view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)));
  }
  const elsewhere = ipv4PseudoSum(LOCALHOST + 1, LOCALHOST, 6, length);
  t.equal(parseTcp(view, TRANSPORT_AT, length, elsewhere), Verdict.TCP_CHECKSUM);
  t.equal(parseTcp(view, TRANSPORT_AT, length, elsewhere, false), Verdict.OK);
  t.end();
});

t.test('random segments of every length, checksum finished → OK', (t) => {
  const prng = new Prng(1);
  const view = new DataView(new ArrayBuffer(1600));
  for (let i = 0; i < 1600; i++) view.setUint8(i, prng.below(256));
  for (let length = 20; length < 1500; length++) {
    const at = length % 7;
    const sum = ipv4PseudoSum(prng.next(), prng.next(), 6, length);
    emitTcp(view, at, prng.below(65536), prng.below(65536), prng.next(), prng.next(), 20, 0x10, 1, 0);
    finishTcpChecksum(view, at, length, sum);
    t.equal(parseTcp(view, at, length, sum), Verdict.OK);
  }
  t.end();
});

t.test('printed with both initial sequence numbers → relative, as tcpdump does once it has seen the handshake', (t) => {
  const iss = 526195033;
  const irs = 3577022517;
  const print = (hex: string, seqBase: number, ackBase: number) => {
    const view = viewOf(hex);
    return printTcp(view, TRANSPORT_AT, view.byteLength - TRANSPORT_AT, seqBase, ackBase);
  };
  t.match(print(DATA.hex, iss, irs), /^Flags \[P\.\], seq 1:19, ack 1, win 64, options .*, length 18$/);
  t.match(print(FIN.hex, irs, iss), /^Flags \[F\.\], seq 2, ack 19, win 64/);
  // One more than the base may be: numbers before it wrap.
  t.match(print(FIN.hex, irs + 3, iss), /seq 4294967295,/);
  t.end();
});

t.test('flags printed → tcpdump’s letters in the bits’ order', (t) => {
  const view = new DataView(new ArrayBuffer(20));
  for (const [flags, text] of [
    [0, 'none'],
    [0x1ff, 'FSRP.UEWe'],
    [0x0c2, 'SEW'],
    [0x014, 'R.'],
  ] as const) {
    emitTcp(view, 0, 1, 2, 3, 4, 20, flags, 5, 6);
    t.match(printTcp(view, 0, 20), new RegExp(`^Flags \\[${text}\\],`));
  }
  t.equal(printTcp(view, 0, 12), 'tcp truncated, length 12');
  view.setUint8(12, 0xf0);
  t.equal(printTcp(view, 0, 20), 'tcp bad hdr length 60, length 20');
  t.end();
});
