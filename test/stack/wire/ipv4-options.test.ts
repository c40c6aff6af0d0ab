import t from 'tap';
import { Ipv4OptionBit, Ipv4Options, parseIpv4Options, printIpv4Options } from '../../../stack/wire/ipv4-options.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { viewOf } from './frames.js';

function parse(hex: string, before = 7): [Verdict, Ipv4Options] {
  const into = new Ipv4Options();
  // No byte behind the options: reading past them would throw.
  const view = viewOf(hex, before);
  return [parseIpv4Options(view, before, hex.length / 2, into), into];
}

t.test('no options, only NOPs, or an end with anything behind → OK, nothing present', (t) => {
  for (const hex of ['', '01010101', '00ffffff', '01010100', '00000000']) {
    const [verdict, options] = parse(hex);
    t.equal(verdict, Verdict.OK, hex);
    t.equal(options.present, 0);
  }
  t.end();
});

t.test(
  'record route, timestamp, both source routes, router alert, one unknown → recognised, with their places',
  (t) => {
    const route = parse('01' + '070b04' + '0000000000000000');
    t.equal(route[0], Verdict.OK);
    t.equal(route[1].present, Ipv4OptionBit.RECORD_ROUTE);
    t.equal(route[1].recordRouteAt, 8);
    const loose = parse('830704' + '0a000001' + '00');
    t.equal(loose[0], Verdict.OK);
    t.equal(loose[1].present, Ipv4OptionBit.LOOSE_SOURCE_ROUTE);
    t.equal(loose[1].sourceRouteAt, 7);
    t.equal(parse('890708' + '0a000001' + '00')[1].present, Ipv4OptionBit.STRICT_SOURCE_ROUTE);
    const stamp = parse('44080500' + '00000000');
    t.equal(stamp[0], Verdict.OK);
    t.equal(stamp[1].present, Ipv4OptionBit.TIMESTAMP);
    t.equal(stamp[1].timestampAt, 7);
    t.equal(parse('440c0501' + '0000000000000000')[0], Verdict.OK);
    const alert = parse('94040007' + '820b0000000000000000' + '00' + '00');
    t.equal(alert[0], Verdict.OK);
    t.equal(alert[1].present, Ipv4OptionBit.ROUTER_ALERT | Ipv4OptionBit.UNKNOWN);
    t.equal(alert[1].routerAlert, 7);
    t.end();
  },
);

t.test('the record of the last datagram → cleared', (t) => {
  const into = new Ipv4Options();
  parseIpv4Options(viewOf('94040000'), 0, 4, into);
  parseIpv4Options(viewOf('01010101'), 0, 4, into);
  t.equal(into.present, 0);
  t.end();
});

t.test('options that lie → IP_OPTIONS, and where', (t) => {
  const lies: [string, number, string][] = [
    ['0100', -1, 'an end: no lie'],
    ['07', 0, 'no room for a length'],
    ['010107', 2, 'the same behind others'],
    ['0700', 1, 'length 0'],
    ['8201', 1, 'length 1'],
    ['82ff0000', 1, 'past the end'],
    ['070304', -1, 'a route without room: legal'],
    ['0702', 1, 'a route without pointer'],
    ['070504' + '0000', 1, 'a route of half an address'],
    ['070703' + '00000000', 2, 'pointer before the first'],
    ['070705' + '00000000', 2, 'pointer inside an address'],
    ['07070c' + '00000000', 2, 'pointer past the place behind the last'],
    ['070708' + '00000000', -1, 'full: legal'],
    ['830704' + '0a000001' + '890704' + '0a000002', 7, 'two source routes'],
    ['4403050000', 1, 'a timestamp without flags'],
    ['44080400' + '00000000', 2, 'pointer into the flags'],
    ['44080502' + '00000000', 3, 'a flag that means nothing'],
    ['44080501' + '00000000', 1, 'half an entry'],
    ['44080d00' + '00000000', 2, 'pointer past the place behind the last'],
    ['440c0901' + '0000000000000000', 2, 'pointer between address and time'],
    ['070704' + '00000000' + '070704' + '00000000', 7, 'two recorded routes'],
    ['44080500' + '00000000' + '44080500' + '00000000', 8, 'two timestamps'],
    ['440809e0' + '00000000', -1, 'full, 14 found no room: legal'],
    ['440809f0' + '00000000', 3, 'full, and 15 found no room: the count would overflow'],
    ['440c0df3' + '0a00000100000000', -1, 'full, of named hosts: nobody counts'],
    ['94030000', 1, 'router alert of 3'],
  ];
  for (const [hex, problem, why] of lies) {
    const [verdict, options] = parse(hex);
    t.equal(verdict, problem < 0 ? Verdict.OK : Verdict.IP_OPTIONS, why);
    if (problem >= 0) t.equal(options.problem, problem, `${why}: where`);
  }
  t.end();
});

t.test('printed → names in order, and the lie named', (t) => {
  const print = (hex: string) => printIpv4Options(viewOf(hex), 0, hex.length / 2);
  t.equal(print(''), '');
  t.equal(print('01' + '070704' + '00000000'), 'options (NOP,RR)');
  t.equal(print('94040000' + '00000000'), 'options (RA,EOL)');
  t.equal(print('440805000000000083030489030482030088040000c80200'), 'options (TS,LSRR,SSRR,SEC,SID,unknown 200,EOL)');
  t.equal(print('0101ff00'), 'options (NOP,NOP,unknown 255 [bad length 0])');
  t.equal(print('0725'), 'options (RR [bad length 37])');
  t.equal(print('07'), 'options (RR [bad length 0])');
  t.end();
});
