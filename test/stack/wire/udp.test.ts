import t from 'tap';
import { ipv4PseudoSum } from '../../../stack/wire/ipv4.js';
import {
  emitUdp,
  finishUdpChecksum,
  parseUdp,
  printUdp,
  Udp,
  udpChecksum,
  udpDestinationPort,
  udpLength,
  udpSourcePort,
} from '../../../stack/wire/udp.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { TRANSPORT_AT, UDP, viewOf } from './frames.js';

const LOCALHOST = 0x7f000001;
const pseudo = (length: number) => ipv4PseudoSum(LOCALHOST, LOCALHOST, 17, length);

t.test('a datagram from Linux → OK, and its fields', (t) => {
  const view = viewOf(UDP.hex);
  t.equal(parseUdp(view, TRANSPORT_AT, 13, pseudo(13)), Verdict.OK);
  t.equal(udpSourcePort(view, TRANSPORT_AT), 41261);
  t.equal(udpDestinationPort(view, TRANSPORT_AT), 9);
  t.equal(udpLength(view, TRANSPORT_AT), 13);
  t.end();
});

t.test('the same emitted → the same checksum', (t) => {
  const view = viewOf('000000000000000068656c6c6f', 3);
  emitUdp(view, 3, 41261, 9, 13);
  t.equal(parseUdp(view, 3, 13, pseudo(13)), Verdict.OK, 'without one it is legal, too');
  finishUdpChecksum(view, 3, 13, pseudo(13));
  t.equal(udpChecksum(view, 3), udpChecksum(viewOf(UDP.hex), TRANSPORT_AT));
  t.end();
});

t.test('IP says more bytes than UDP → the rest is padding, and the checksum is that of UDP’s own length', (t) => {
  const view = viewOf(`${UDP.hex}ffeeddcc`);
  t.equal(parseUdp(view, TRANSPORT_AT, 17, pseudo(17)), Verdict.OK);
  view.setUint8(TRANSPORT_AT + 12, 0);
  t.equal(parseUdp(view, TRANSPORT_AT, 17, pseudo(17)), Verdict.UDP_CHECKSUM);
  t.end();
});

t.test('a checksum that comes out as zero → sent as ffff, and accepted', (t) => {
  const view = viewOf('00000000000000000000');
  emitUdp(view, 0, 1, 2, 10);
  finishUdpChecksum(view, 0, 10, pseudo(10));
  // The data is chosen to bring the sum to all ones.
  view.setUint16(8, udpChecksum(view, 0));
  finishUdpChecksum(view, 0, 10, pseudo(10));
  t.equal(udpChecksum(view, 0), 0xffff);
  t.equal(parseUdp(view, 0, 10, pseudo(10)), Verdict.OK);
  t.end();
});

t.test('every length below 8 → UDP_TOO_SHORT', (t) => {
  for (let length = 0; length < 8; length++) {
    t.equal(parseUdp(new DataView(new ArrayBuffer(8)), 8 - length, length, 0), Verdict.UDP_TOO_SHORT);
  }
  t.end();
});

t.test('its own length below 8 or past the datagram → UDP_LENGTH', (t) => {
  const view = viewOf(UDP.hex);
  for (const [length, verdict] of [
    [0, Verdict.UDP_LENGTH],
    [7, Verdict.UDP_LENGTH],
    [14, Verdict.UDP_LENGTH],
    [65535, Verdict.UDP_LENGTH],
    [12, Verdict.UDP_CHECKSUM],
  ] as const) {
    view.setUint16(TRANSPORT_AT + Udp.LENGTH, length);
    t.equal(parseUdp(view, TRANSPORT_AT, 13, pseudo(13)), verdict, `${length}`);
  }
  t.end();
});

t.test('any bit flipped, of datagram or pseudo-header → never OK; waived → OK where lengths fit', (t) => {
  const view = viewOf(UDP.hex);
  for (let bit = 0; bit < 13 * 8; bit++) {
    const at = TRANSPORT_AT + (bit >> 3);
    view.setUint8(at, view.getUint8(at) ^ (0x80 >> (bit & 7)));
    t.not(parseUdp(view, TRANSPORT_AT, 13, pseudo(13)), Verdict.OK, `bit ${bit}`);
    view.setUint8(at, view.getUint8(at) ^ (0x80 >> (bit & 7)));
  }
  t.equal(parseUdp(view, TRANSPORT_AT, 13, ipv4PseudoSum(LOCALHOST, LOCALHOST + 1, 17, 13)), Verdict.UDP_CHECKSUM);
  view.setUint8(TRANSPORT_AT + 8, 0);
  t.equal(parseUdp(view, TRANSPORT_AT, 13, pseudo(13), false), Verdict.OK);
  t.end();
});

t.test('printed → length of the data, or what is wrong', (t) => {
  const view = viewOf(UDP.hex);
  t.equal(printUdp(view, TRANSPORT_AT, 13), 'UDP, length 5');
  t.equal(printUdp(view, TRANSPORT_AT, 7), 'UDP, truncated-udp, length 7');
  t.equal(printUdp(view, TRANSPORT_AT, 12), 'UDP, bad length 13 > 12');
  t.end();
});
