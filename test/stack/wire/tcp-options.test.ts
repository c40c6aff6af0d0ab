import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import {
  emitMss,
  emitNop,
  emitSackBlock,
  emitSackHeader,
  emitSackPermitted,
  emitTcpPadding,
  emitTimestamps,
  emitTimestampsPadded,
  emitUserTimeout,
  emitWindowScale,
  parseTcpOptions,
  printTcpOptions,
  TcpOptionBit,
  TcpOptions,
} from '../../../stack/wire/tcp-options.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { bytesOf, SYN, TRANSPORT_AT, viewOf } from './frames.js';

/** The options stand at an odd offset and at the very end of memory: reading past them would throw. */
function parse(hex: string): [Verdict, TcpOptions] {
  const into = new TcpOptions();
  return [parseTcpOptions(viewOf(hex, 3), 3, hex.length / 2, into), into];
}

t.test('the SYN that Linux sends → all five of its options', (t) => {
  const into = new TcpOptions();
  t.equal(parseTcpOptions(viewOf(SYN.hex), TRANSPORT_AT + 20, 20, into), Verdict.OK);
  t.equal(
    into.present,
    TcpOptionBit.MSS | TcpOptionBit.SACK_PERMITTED | TcpOptionBit.TIMESTAMPS | TcpOptionBit.WINDOW_SCALE,
  );
  t.equal(into.mss, 65495);
  t.equal(into.windowScale, 10);
  t.equal(into.tsVal, 3211111245 | 0);
  t.equal(into.tsEcr, 0);
  t.end();
});

t.test('NOP NOP timestamps, the layout of nearly every segment, and any other → the same values', (t) => {
  const value = 'fedcba98' + '00000007';
  for (const hex of [`0101080a${value}`, `080a${value}0101`, `01080a${value}01`, `080a${value}0000`, `080a${value}`]) {
    const [verdict, options] = parse(hex);
    t.equal(verdict, Verdict.OK, hex);
    t.equal(options.present, TcpOptionBit.TIMESTAMPS);
    t.equal(options.tsVal, 0xfedcba98 | 0);
    t.equal(options.tsEcr, 7);
  }
  t.end();
});

t.test('NOP NOP timestamps with more behind → the rest is read, too', (t) => {
  const [, options] = parse(`0101080a0000000100000002${'0101050a'}0000000a0000000b`);
  t.equal(options.present, TcpOptionBit.TIMESTAMPS | TcpOptionBit.SACK);
  t.same(Array.from(options.sack.subarray(0, 2)), [10, 11]);
  t.end();
});

t.test('one to four SACK blocks → each edge, in order, as int32', (t) => {
  for (let blocks = 1; blocks <= 4; blocks++) {
    let hex = `0101${'05'}${(2 + blocks * 8).toString(16).padStart(2, '0')}`;
    for (let i = 0; i < blocks; i++) hex += `ffffff0${i}0000000${i}`;
    const [verdict, options] = parse(hex);
    t.equal(verdict, Verdict.OK);
    t.equal(options.sackCount, blocks);
    for (let i = 0; i < blocks; i++) {
      t.equal(options.sack[i * 2], -256 + i);
      t.equal(options.sack[i * 2 + 1], i);
    }
  }
  t.end();
});

t.test('MD5, TCP-AO, user timeout, fast open, the unknown → recognised, and skipped by length to what follows', (t) => {
  const md5 = parse(`1312${'ab'.repeat(16)}0101020405b4`);
  t.equal(md5[0], Verdict.OK);
  t.equal(md5[1].present, TcpOptionBit.MD5 | TcpOptionBit.MSS);
  t.equal(md5[1].signatureAt, 3);
  const ao = parse(`1d100507${'cd'.repeat(12)}020405b4`);
  t.equal(ao[1].present, TcpOptionBit.AO | TcpOptionBit.MSS);
  const timeout = parse('1c048005020405b4');
  t.equal(timeout[1].present, TcpOptionBit.USER_TIMEOUT | TcpOptionBit.MSS);
  t.equal(timeout[1].userTimeout, 0x8005);
  const request = parse('01012202020405b4');
  t.equal(request[1].present, TcpOptionBit.FAST_OPEN | TcpOptionBit.MSS);
  t.equal(request[1].fastOpenLength, 0);
  const cookie = parse('220a0102030405060708' + '0101');
  t.equal(cookie[1].fastOpenAt, 5);
  t.equal(cookie[1].fastOpenLength, 8);
  const unknown = parse(`fd04beef1e081122334455660303${'07'}0000`);
  t.equal(unknown[0], Verdict.OK);
  t.equal(unknown[1].present, TcpOptionBit.UNKNOWN | TcpOptionBit.WINDOW_SCALE);
  t.equal(unknown[1].windowScale, 7);
  t.end();
});

t.test('a fast-open cookie of a size RFC 7413 does not allow → ignored, as it asks', (t) => {
  for (const hex of ['2204aabb', '2205aabbcc', '2207aabbccddee', `2214${'00'.repeat(18)}`]) {
    const [verdict, options] = parse(hex);
    t.equal(verdict, Verdict.OK);
    t.equal(options.present, TcpOptionBit.UNKNOWN, hex);
  }
  t.end();
});

t.test('a window shift above 14 → 14 (RFC 7323 §2.3)', (t) => {
  t.equal(parse('03030e00')[1].windowScale, 14);
  t.equal(parse('03030f00')[1].windowScale, 14);
  t.equal(parse('0303ff00')[1].windowScale, 14);
  t.end();
});

t.test('an end, and anything behind it → not read', (t) => {
  const [verdict, options] = parse('020405b400ffffff');
  t.equal(verdict, Verdict.OK);
  t.equal(options.present, TcpOptionBit.MSS);
  t.end();
});

t.test('no options behind a segment with some → nothing present of the last one', (t) => {
  const into = new TcpOptions();
  parseTcpOptions(viewOf(SYN.hex), TRANSPORT_AT + 20, 20, into);
  parseTcpOptions(viewOf(SYN.hex), TRANSPORT_AT + 20, 0, into);
  t.equal(into.present, 0);
  parseTcpOptions(viewOf(SYN.hex), TRANSPORT_AT + 20, 20, into);
  parseTcpOptions(viewOf('01010101'), 0, 4, into);
  t.equal(into.present, 0);
  t.end();
});

t.test('lengths that lie → TCP_OPTION_LENGTH', (t) => {
  for (const [hex, why] of [
    ['02', 'no room for a length'],
    ['010101fd', 'the same behind others'],
    ['0200', 'zero'],
    ['fd000000', 'zero, of an unknown kind'],
    ['fd010000', 'one'],
    ['fd050000', 'past the end by one'],
    ['02ff05b4', 'past the end by far'],
    ['020305b4', 'MSS of 3'],
    ['020505b400000000', 'MSS of 5'],
    ['02040', 'MSS cut off'],
    ['0302', 'window scale of 2'],
    ['03040700', 'window scale of 4'],
    ['0403', 'SACK-permitted of 3, cut off'],
    ['04030000', 'SACK-permitted of 3'],
    ['0502', 'SACK without blocks'],
    ['05060000000a', 'SACK of half a block'],
    ['050b0000000a0000000b00', 'SACK of a block and a byte'],
    ['05120000000a0000000b', 'SACK that ends within its second block'],
    [`052a${'00'.repeat(38)}`, 'SACK of five blocks, past the end'],
    ['080900000001000000', 'timestamps of 9'],
    ['0101080b0000000100000002', 'timestamps of 11, past the end'],
    ['0101080900000001000000ff', 'timestamps of 9 in the usual layout'],
    ['1304beef', 'MD5 of 4'],
    ['1d03ff', 'TCP-AO of 3'],
    ['1c03ff', 'user timeout of 3'],
    ['2201', 'fast open of 1'],
  ]) {
    const even = hex.length % 2 === 0 ? hex : hex.slice(0, -1);
    t.equal(parse(even)[0], Verdict.TCP_OPTION_LENGTH, why);
  }
  t.end();
});

t.test('every option emitted in a row, padded → the bytes of the RFCs, and read back the same', (t) => {
  const view = new DataView(new ArrayBuffer(64));
  for (let i = 0; i < 64; i++) view.setUint8(i, 0xee);
  let at = emitMss(view, 1, 1460);
  at = emitSackPermitted(view, at);
  at = emitTimestamps(view, at, -2, 5);
  at = emitNop(view, at);
  at = emitWindowScale(view, at, 7);
  at = emitUserTimeout(view, at, 0x8001);
  at = emitTcpPadding(view, 1, at);
  t.equal(bytesOf(view, 1, 24), '020405b40402080afffffffe00000005010303071c048001');
  t.equal(at, 25);
  const options = new TcpOptions();
  t.equal(parseTcpOptions(view, 1, at - 1, options), Verdict.OK);
  t.equal(options.present, 0x117);
  t.same(
    [options.mss, options.windowScale, options.tsVal, options.tsEcr, options.userTimeout],
    [1460, 7, -2, 5, 0x8001],
  );
  t.end();
});

t.test('timestamps and three SACK blocks emitted → 40 bytes exactly, read back the same', (t) => {
  const view = new DataView(new ArrayBuffer(60));
  let at = emitTimestampsPadded(view, 20, 1, 2);
  t.equal(at, 32);
  at = emitNop(view, emitNop(view, at));
  at = emitSackHeader(view, at, 3);
  at = emitSackBlock(view, at, 100, 200);
  at = emitSackBlock(view, at, 300, 400);
  at = emitSackBlock(view, at, -1, 5);
  t.equal(emitTcpPadding(view, 20, at), 60);
  t.equal(at, 60);
  const options = new TcpOptions();
  t.equal(parseTcpOptions(view, 20, 40, options), Verdict.OK);
  t.equal(options.present, TcpOptionBit.TIMESTAMPS | TcpOptionBit.SACK);
  t.same(Array.from(options.sack.subarray(0, options.sackCount * 2)), [100, 200, 300, 400, -1, 5]);
  t.equal(printTcpOptions(view, 20, 40), 'nop,nop,TS val 1 ecr 2,nop,nop,sack 3 {100:200}{300:400}{4294967295:5}');
  t.match(printTcpOptions(view, 20, 40, 99), /sack 3 \{1:101\}\{201:301\}\{4294967196:4294967202\}$/);
  t.end();
});

t.test('padding of every length → up to a multiple of four, with zeros and no further', (t) => {
  for (let bytes = 0; bytes < 8; bytes++) {
    const view = viewOf('ff'.repeat(12));
    const end = emitTcpPadding(view, 1, 1 + bytes);
    t.equal(end, 1 + Math.ceil(bytes / 4) * 4);
    for (let i = 0; i < 12; i++) t.equal(view.getUint8(i), i >= 1 + bytes && i < end ? 0 : 0xff);
  }
  t.end();
});

t.test('random option bytes of every length → never past the end, and OK only when the lengths add up', (t) => {
  const prng = new Prng(1);
  const into = new TcpOptions();
  const kinds = [0, 1, 1, 1, 2, 3, 4, 5, 8, 19, 28, 29, 34, 253];
  const verdicts = new Map<Verdict, number>();
  for (let trial = 0; trial < 50000; trial++) {
    const count = prng.below(41);
    // The view ends where the options do: reading past them would throw.
    const view = new DataView(new ArrayBuffer(count));
    for (let i = 0; i < count; i++)
      view.setUint8(i, prng.below(3) === 0 ? prng.below(13) : kinds[prng.below(kinds.length)]);
    const verdict = parseTcpOptions(view, 0, count, into);
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    t.equal(printTcpOptions(view, 0, count).includes('bad length'), verdict !== Verdict.OK) || t.comment(bytesOf(view));
  }
  t.same([...verdicts.keys()].sort(), [Verdict.OK, Verdict.TCP_OPTION_LENGTH]);
  t.ok([...verdicts.values()].every((count) => count > 5000));
  t.end();
});

t.test('printed → tcpdump’s words, and the lie named', (t) => {
  const print = (hex: string) => printTcpOptions(viewOf(hex), 0, hex.length / 2);
  t.equal(print(''), '');
  t.equal(print('020405b40402080a000000010000000201030307'), 'mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7');
  t.equal(print(`1312${'00'.repeat(16)}00ff`), 'md5,eol');
  t.equal(print('1d040102' + '2202' + '2206deadbeef'), 'tcp-ao keyid 1 rnextkeyid 2,tfo cookiereq,tfo cookie deadbeef');
  t.equal(print('1c048005' + '1c040005'), 'uto 5 min,uto 5 s');
  t.equal(print('fd04beef' + 'fe02' + '1e03ff'), 'unknown-253 0xbeef,unknown-254,mptcp 3');
  t.equal(print('01020305b4'), 'nop,kind 2 [bad length 3]');
  t.equal(print('0102'), 'nop,kind 2 [bad length 0]');
  t.end();
});
