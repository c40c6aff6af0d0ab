import t from 'tap';
import {
  emitAccEcn,
  emitTcpPadding,
  parseTcpOptions,
  printTcpOptions,
  TcpOptionBit,
  TcpOptions,
} from '../../../stack/wire/tcp-options.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { bytesOf, viewOf } from './frames.js';

/** The AccECN option, RFC 9768 §3.2.3. */

function parse(hex: string): TcpOptions {
  const into = new TcpOptions();
  t.equal(parseTcpOptions(viewOf(hex, 3), 3, hex.length / 2, into), Verdict.OK, hex);
  return into;
}

t.test('both orders, none to three counters → as many values as there are', (t) => {
  const three = parse('ac0b0000010203040a0b0c00');
  t.same([three.present, three.accEcnFields, three.accEcnOrder1], [TcpOptionBit.ACC_ECN, 3, false]);
  t.same([...three.accEcn], [1, 0x020304, 0x0a0b0c]);
  const one = parse('ae05ffffff010101');
  t.same([one.accEcnFields, one.accEcnOrder1, one.accEcn[0]], [1, true, 0xffffff]);
  t.equal(parse('ae08000001000002').accEcnFields, 2);
  t.same([parse('ae020101').accEcnFields, parse('ae020101').present], [0, TcpOptionBit.ACC_ECN]);
  t.end();
});

t.test('another length than 2, 5, 8 or 11 → the whole counters in it, and no more than three', (t) => {
  t.equal(parse('ac03aa01').accEcnFields, 0);
  t.equal(parse('ac07000001bbbb01').accEcnFields, 1);
  const long = parse('ae0e00000100000200000300000401 01'.replaceAll(' ', ''));
  t.same([long.accEcnFields, ...long.accEcn], [3, 1, 2, 3]);
  t.end();
});

t.test('a length that passes the header, or is less than two → the segment is suspect', (t) => {
  const into = new TcpOptions();
  for (const hex of ['ac0b000001', 'ae010000', 'ae000000'])
    t.equal(parseTcpOptions(viewOf(hex), 0, hex.length / 2, into), Verdict.TCP_OPTION_LENGTH, hex);
  t.end();
});

t.test('emitted with none to three counters → the bytes, read back the same and printed', (t) => {
  const expected = [
    ['ae02', 'accecn'],
    ['ae05000001', 'accecn e1b 1'],
    ['ae08000001fedcba', 'accecn e1b 1 ceb 16702650'],
    ['ae0b000001fedcba010000', 'accecn e1b 1 ceb 16702650 e0b 65536'],
  ];
  for (const [fields, [hex, text]] of expected.entries()) {
    const view = new DataView(new ArrayBuffer(16));
    const at = emitAccEcn(view, 0, fields, 1, 0xfedcba, 0x010000);
    t.equal(bytesOf(view, 0, at), hex);
    t.equal(printTcpOptions(view, 0, at), text);
    emitTcpPadding(view, 0, at);
    const into = new TcpOptions();
    t.equal(parseTcpOptions(view, 0, at, into), Verdict.OK);
    t.same([...into.accEcn.subarray(0, fields)], [1, 0xfedcba, 0x010000].slice(0, fields));
  }
  t.equal(printTcpOptions(viewOf('ac08000001000002'), 0, 8), 'accecn e0b 1 ceb 2');
  t.end();
});
