import t from 'tap';
import { StackError } from '../../../stack/base/errors.js';
import { formatPrefix, Ipv4AddressTable, maskOf, parsePrefix } from '../../../stack/net/address.js';
import { TransmitQueue } from '../../../stack/net/interface.js';

t.test('addresses → text and back', (t) => {
  const table = new Ipv4AddressTable();
  for (const text of ['0.0.0.0', '10.0.0.1', '127.0.0.1', '192.168.255.254', '255.255.255.255', '1.2.3.4', '128.0.0.1'])
    t.equal(table.format(table.parse(text)), text);
  t.equal(table.parse('255.255.255.255'), -1, 'an int32');
  t.equal(table.family(table.parse('10.0.0.1')), 4);
  t.end();
});

t.test('what is no address → refused, with a code and what would be one', (t) => {
  const table = new Ipv4AddressTable();
  for (const text of [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.04',
    '0x1.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1..3.4',
    '-1.2.3.4',
    '1.2.3.4a',
    '::1',
    '١.2.3.4',
  ])
    t.throws(() => table.parse(text), { code: 'ERR_INVALID_ARG_VALUE', constructor: StackError }, `'${text}'`);
  t.end();
});

t.test('prefixes → address and length; strict', (t) => {
  t.same(parsePrefix('10.0.0.1/24'), { address: 0x0a000001, prefixLength: 24 });
  t.same(parsePrefix('10.0.0.1'), { address: 0x0a000001, prefixLength: 32 });
  t.same(parsePrefix('0.0.0.0/0'), { address: 0, prefixLength: 0 });
  for (const text of ['10.0.0.1/24', '0.0.0.0/0', '255.255.255.255/32']) t.equal(formatPrefix(parsePrefix(text)), text);
  for (const text of [
    '10.0.0.1/',
    '10.0.0.1/33',
    '10.0.0.1/024',
    '10.0.0.1/-1',
    '10.0.0.1/2 ',
    '/24',
    '10.0.0/8',
    '10.0.0.1/24/8',
  ])
    t.throws(() => parsePrefix(text), { code: 'ERR_INVALID_ARG_VALUE' }, `'${text}'`);
  t.equal(maskOf(0), 0);
  t.equal(maskOf(1), -0x8000_0000);
  t.equal(maskOf(24), -256);
  t.equal(maskOf(32), -1);
  t.end();
});

t.test('transmit queue, device that takes little → order kept, limit kept, places found again', (t) => {
  const queue = new TransmitQueue(8, 0);
  let pushed = 0;
  let taken = 0;
  let wrong = 0;
  for (let round = 0; round < 500; round++) {
    while (queue.room > 0) {
      queue.push(pushed, pushed * 2);
      pushed += 1;
    }
    if (queue.length !== 8 || !queue.full) wrong += 1;
    const take = 1 + (round % 5);
    for (let i = 0; i < take; i++) {
      if (queue.offsets[queue.first + i] !== taken || queue.lengths[queue.first + i] !== taken * 2) wrong += 1;
      taken += 1;
    }
    queue.sent(take);
    if (queue.room !== take) wrong += 1;
  }
  t.equal(wrong, 0);
  t.ok(taken > 1000);
  t.throws(() => queue.sent(9), /no more than it was offered/);
  t.end();
});
