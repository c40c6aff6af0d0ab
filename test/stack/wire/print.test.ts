import t from 'tap';
import { printFrame, printPacket } from '../../../stack/wire/print.js';
import { CAPTURED, DATA, ECHO, IP_AT, ipv4Frame, SYN, UDP, viewOf } from './frames.js';

const print = (view: DataView, length = view.byteLength) => printFrame(view, 0, length);

t.test('frames from Linux → what tcpdump prints, with and without link header, at any offset', (t) => {
  for (const { hex, text } of CAPTURED) {
    t.equal(print(viewOf(hex)), text);
    const shifted = viewOf(hex, 5);
    t.equal(printFrame(shifted, 5, hex.length / 2), text);
    t.equal(printPacket(shifted, 5 + IP_AT, hex.length / 2 - IP_AT), text);
  }
  t.end();
});

t.test('padding behind a datagram → not counted', (t) => {
  t.equal(print(viewOf(UDP.hex, 0, 13)), UDP.text);
  t.end();
});

t.test('the example of the manner → as it stands there', (t) => {
  const options = '020405b4' + '0402' + '080a0000000100000002' + '01' + '030307';
  const view = ipv4Frame(6, `005010920000000100000002a012ffff00000000${options}`);
  t.equal(
    printFrame(view, 0, view.byteLength, { checksums: false }),
    'IP 10.0.0.1.80 > 10.0.0.2.4242: Flags [S.], seq 1, ack 2, win 65535, options [mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7], length 0',
  );
  t.match(print(view), /length 0 \[bad tcp cksum\]$/);
  t.end();
});

t.test('bases given → relative numbers', (t) => {
  const view = viewOf(DATA.hex);
  t.match(
    printFrame(view, 0, view.byteLength, { seqBase: 526195033, ackBase: 3577022517 | 0 }),
    / seq 1:19, ack 1, win 64/,
  );
  t.end();
});

t.test('checksums wrong → the line, and which one', (t) => {
  for (const [{ hex, text }, at, wrong] of [
    [SYN, 40, ' [bad tcp cksum]'],
    [UDP, 44, ' [bad udp cksum]'],
    [ECHO, 60, ' [bad icmp cksum]'],
  ] as const) {
    const view = viewOf(hex);
    view.setUint8(at, view.getUint8(at) ^ 0x40);
    const line = print(view);
    t.ok(line.endsWith(wrong), line);
    t.notOk(printFrame(view, 0, view.byteLength, { checksums: false }).includes('cksum'));
    const header = viewOf(hex);
    header.setUint8(22, 3);
    t.equal(print(header), `${text} [the header checksum is wrong]`);
  }
  t.end();
});

t.test('VLAN tags, one and two → said first; cut off or endless → said, too', (t) => {
  const inner = UDP.hex.slice(28);
  const macs = '020000000002020000000001';
  t.equal(print(viewOf(`${macs}8100a0640800${inner}`)), `vlan 100, p 5, ${UDP.text}`);
  t.equal(print(viewOf(`${macs}88a8100a810000640800${inner}`)), `vlan 10, p 0, DEI, vlan 100, p 0, ${UDP.text}`);
  t.equal(print(viewOf(`${macs}81000fff0800${inner}`)), `vlan 4095, p 0 [reserved id], ${UDP.text}`);
  t.equal(print(viewOf(`${macs}8100a0`)), '[|vlan] length 15');
  t.match(print(viewOf(`${macs}${'81000001'.repeat(300)}`)), /^(vlan 1, p 0, ){4}02:.* ethertype 0x8100, length 1212$/);
  t.end();
});

t.test('fragments → their place; only what is whole has its transport printed', (t) => {
  const view = ipv4Frame(17, '00'.repeat(16));
  for (const [word, text] of [
    [0x2000, 'udp (frag 1:16@0+) first'],
    [0x20b9, 'udp (frag 1:16@1480+)'],
    [0x00b9, 'udp (frag 1:16@1480)'],
  ] as const) {
    view.setUint16(20, word);
    t.ok(print(view).startsWith(`IP 10.0.0.1 > 10.0.0.2: ${text}`), print(view));
  }
  t.end();
});

t.test('IP options, other protocols, other versions, other types → named', (t) => {
  t.equal(print(ipv4Frame(2, '0000', '94040000')), 'IP 10.0.0.1 > 10.0.0.2: igmp, length 2, options (RA)');
  t.equal(print(ipv4Frame(89, '0000')), 'IP 10.0.0.1 > 10.0.0.2: ip-proto-89, length 2');
  t.equal(print(viewOf(`02000000000202000000000186dd60${'00'.repeat(39)}`)), 'IP6, length 40');
  t.equal(
    print(viewOf('02000000000202000000000188cc0000')),
    '02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype 0x88cc, length 16',
  );
  t.match(print(viewOf('0180c20000000200000000010026424203')), /ethertype 0x0026 \[802\.3\], length 17$/);
  t.end();
});

t.test('cut off anywhere → a line all the same', (t) => {
  for (const { hex } of CAPTURED) {
    for (let length = 0; length < hex.length / 2; length++) {
      // The memory ends where the frame does.
      const line = print(viewOf(hex.slice(0, length * 2)));
      t.match(line, /\[\|ether\]|\[\|ip\]|\[the total length is/, `${length}: ${line}`);
      t.notMatch(line, /\n|undefined|NaN/);
    }
  }
  t.equal(print(viewOf('0200')), '[|ether] length 2');
  t.equal(print(viewOf(SYN.hex.slice(0, 28))), 'IP [|ip] length 0');
  t.equal(print(viewOf(SYN.hex.slice(0, 60))), 'IP [|ip] length 16');
  t.end();
});

t.test('headers that lie → what is wrong, in words', (t) => {
  const lie = (at: number, value: number) => {
    const view = viewOf(UDP.hex);
    view.setUint8(at, value);
    return print(view);
  };
  t.match(lie(14, 0x55), /\[the version is not the one the link announced\], length 33$/);
  t.match(lie(14, 0x44), /\[the header length is below its minimum or past the frame\], length 33$/);
  t.match(lie(17, 200), /\[the total length is shorter than the header or longer than the frame\]$/);
  t.match(lie(39, 200), /UDP, bad length 200 > 13/);
  t.end();
});
