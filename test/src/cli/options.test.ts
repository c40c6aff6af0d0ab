import t from 'tap';
import { CliError, failureOf } from '../../../src/cli/errors.js';
import { type RawOptions, stackSettings } from '../../../src/cli/options.js';
import { bytes, formatIpv4, hostAddress, ipv4, microseconds, subnet, wholeNumber } from '../../../src/cli/values.js';

/** The error that options lead to. */
function refusal(raw: RawOptions): { code: string; message: string; exit: number } {
  try {
    stackSettings(raw);
  } catch (error) {
    return failureOf(error);
  }
  throw new Error(`accepted: ${JSON.stringify(raw)}`);
}

t.test('no options → the documented defaults, and another seed each time', (t) => {
  const settings = stackSettings({});
  t.equal(settings.device, 'tap:mill0');
  t.equal(formatIpv4(settings.address.address), '10.0.0.2');
  t.equal(settings.address.prefixLength, 24);
  t.equal(settings.mtu, undefined);
  t.equal(settings.trace, undefined);
  t.equal(settings.control, undefined);
  t.equal(settings.seedGiven, false);
  const seeds = new Set(Array.from({ length: 8 }, () => stackSettings({}).seed));
  t.ok(seeds.size > 1, 'seeds are drawn');
  t.end();
});

t.test('good values → understood', (t) => {
  const settings = stackSettings({
    device: 'tun:x',
    address: '192.168.7.9/16',
    gateway: '192.168.0.1',
    hostAddress: '192.168.0.1',
    mtu: '9000',
    traceLimit: '1.5M',
    fault: 'loss=1%,delay=20ms',
    seed: '4294967295',
    control: '/run/x.sock',
  });
  t.equal(formatIpv4(settings.gateway ?? 0), '192.168.0.1');
  t.same(settings.hostAddress, { address: settings.gateway, prefixLength: 16 }, 'the prefix is that of --address');
  t.equal(settings.mtu, 9000);
  t.equal(settings.traceLimitBytes, 1_572_864);
  t.equal(settings.faults?.in.loss, 0.01);
  t.equal(settings.faults?.out.delayUs, 20_000);
  t.equal(settings.seed, 4_294_967_295);
  t.equal(settings.seedGiven, true);
  t.equal(settings.control, '/run/x.sock');
  t.equal(stackSettings({ control: false }).control, false, '--no-control');
  t.end();
});

t.test('bad values → the option, what it was, what is allowed, and a code', (t) => {
  const cases: readonly (readonly [RawOptions, string, string, RegExp])[] = [
    [{ device: 'eth0' }, '--device', 'ERR_INVALID_ARG_VALUE', /tap:NAME/],
    [{ device: 'tap:' }, '--device', 'ERR_INVALID_ARG_VALUE', /1 to 15 bytes/],
    [{ device: 'tap:sixteen-bytes-xx' }, '--device', 'ERR_INVALID_ARG_VALUE', /1 to 15 bytes/],
    [{ device: 'tap:a/b' }, '--device', 'ERR_INVALID_ARG_VALUE', /without spaces/],
    [{ address: '10.0.0.2' }, '--address', 'ERR_INVALID_ARG_VALUE', /prefix length/],
    [{ address: '10.0.0.256/24' }, '--address', 'ERR_INVALID_ARG_VALUE', /IPv4 address/],
    [{ address: '10.0.0.02/24' }, '--address', 'ERR_INVALID_ARG_VALUE', /IPv4 address/],
    [{ address: '10.0.0.2/33' }, '--address', 'ERR_INVALID_ARG_VALUE', /IPv4 address/],
    [{ address: '10.0.0.2/0' }, '--address', 'ERR_INVALID_ARG_VALUE', /IPv4 address/],
    [{ address: '10.0.0.0/24' }, '--address', 'ERR_INVALID_ARG_VALUE', /broadcast/],
    [{ address: '10.0.0.255/24' }, '--address', 'ERR_INVALID_ARG_VALUE', /broadcast/],
    [{ address: '224.0.0.1/4' }, '--address', 'ERR_INVALID_ARG_VALUE', /IPv4 address/],
    [{ address: '127.0.0.1/8' }, '--address', 'ERR_INVALID_ARG_VALUE', /IPv4 address/],
    [{ gateway: '10.1.0.1' }, '--gateway', 'ERR_INVALID_ARG_VALUE', /the subnet given with --address/],
    [{ gateway: '10.0.0.2' }, '--gateway', 'ERR_INVALID_ARG_VALUE', /another address/],
    [{ gateway: 'router' }, '--gateway', 'ERR_INVALID_ARG_VALUE', /IPv4 address/],
    [{ hostAddress: '10.0.0.2' }, '--host-address', 'ERR_INVALID_ARG_VALUE', /another address/],
    [{ hostAddress: '10.0.1.1/24' }, '--host-address', 'ERR_INVALID_ARG_VALUE', /the subnet/],
    [{ mtu: '67' }, '--mtu', 'ERR_OUT_OF_RANGE', /from 68 to 65521/],
    [{ mtu: '65522' }, '--mtu', 'ERR_OUT_OF_RANGE', /from 68 to 65521/],
    [{ mtu: '65536', device: 'tun:x' }, '--mtu', 'ERR_OUT_OF_RANGE', /from 68 to 65535/],
    [{ mtu: '1500.5' }, '--mtu', 'ERR_OUT_OF_RANGE', /whole number/],
    [{ mtu: '-1' }, '--mtu', 'ERR_OUT_OF_RANGE', /whole number/],
    [{ mtu: '0x5dc' }, '--mtu', 'ERR_OUT_OF_RANGE', /whole number/],
    [{ trace: '' }, '--trace', 'ERR_INVALID_ARG_VALUE', /name of a file/],
    [{ trace: '/nonexistent/t.pcapng' }, '--trace', 'ENOENT', /does not exist/],
    [{ trace: '/' }, '--trace', 'EISDIR', /directory/],
    [{ traceLimit: '1k' }, '--trace-limit', 'ERR_OUT_OF_RANGE', /from 64 KiB to 64 GiB/],
    [{ traceLimit: 'much' }, '--trace-limit', 'ERR_OUT_OF_RANGE', /as in "64k"/],
    [{ fault: 'loss=1' }, '--fault', 'ERR_INVALID_ARG_VALUE', /percentage/],
    [{ fault: 'los=1%' }, '--fault', 'ERR_INVALID_ARG_VALUE', /allowed are loss/],
    [{ fault: '' }, '--fault', 'ERR_INVALID_ARG_VALUE', /allowed are loss/],
    [{ seed: '4294967296' }, '--seed', 'ERR_OUT_OF_RANGE', /from 0 to 4294967295/],
    [{ seed: 'luck' }, '--seed', 'ERR_OUT_OF_RANGE', /whole number/],
  ];
  for (const [raw, option, code, allowed] of cases) {
    const found = refusal(raw);
    const name = JSON.stringify(raw);
    t.equal(found.code, code, `${name}: code`);
    t.equal(found.exit, 2, `${name}: exit status`);
    t.ok(found.message.startsWith(`${option}`), `${name}: names the option: ${found.message}`);
    t.match(found.message, allowed, `${name}: says what is allowed`);
    t.notMatch(found.message, /\n/, `${name}: one line`);
  }
  t.end();
});

t.test('addresses → as they are written, and nothing that reads two ways', (t) => {
  t.equal(ipv4('10.23.0.2'), 0x0a170002);
  t.equal(ipv4('255.255.255.255'), -1);
  t.equal(formatIpv4(ipv4('203.0.113.77') ?? 0), '203.0.113.77');
  for (const text of ['', '10.1', '10.0.0.1.2', '010.0.0.1', '1.2.3.4 ', '1e1.0.0.1', '::1'])
    t.equal(ipv4(text), undefined);
  t.throws(() => hostAddress('<address>', '0.0.0.1'), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => hostAddress('<address>', '255.255.255.255'), { code: 'ERR_INVALID_ARG_VALUE' });
  t.same(
    subnet('--address', '10.0.0.0/31'),
    { address: 0x0a000000, prefixLength: 31 },
    'RFC 3021: both addresses of a /31',
  );
  t.same(subnet('--address', '10.0.0.7/32'), { address: 0x0a000007, prefixLength: 32 });
  t.end();
});

t.test('sizes and times → with units, between limits', (t) => {
  t.equal(bytes('--x', '64k', 0, 1e9), 65_536);
  t.equal(bytes('--x', '1GiB', 0, 2 ** 31), 2 ** 30);
  t.equal(bytes('--x', '12', 0, 100), 12);
  t.throws(() => bytes('--x', '1T', 0, 1e15), CliError);
  t.equal(microseconds('--x', '200ms', 0, 1e9), 200_000);
  t.equal(microseconds('--x', '0.2', 0, 1e9), 200_000, 'plain numbers are seconds, as in ping');
  t.equal(microseconds('--x', '2m', 0, 1e9), 120_000_000);
  t.throws(() => microseconds('--x', '1h', 0, 1e12), { code: 'ERR_OUT_OF_RANGE', message: /as in "200ms"/ });
  t.throws(() => microseconds('--x', '', 0, 1e12), CliError);
  t.equal(wholeNumber('--x', '007', 0, 10), 7);
  t.throws(() => wholeNumber('--x', '99999999999999999999', 0, Number.MAX_SAFE_INTEGER), CliError);
  t.end();
});

t.test('errors → a code where there is one; what has none is our mistake', (t) => {
  t.same(failureOf(new CliError('EX', 'm')), { code: 'EX', message: 'm', exit: 2, unexpected: false });
  t.same(failureOf(Object.assign(new Error('a\n b'), { code: 'EBUSY' })), {
    code: 'EBUSY',
    message: 'a; b',
    exit: 2,
    unexpected: false,
  });
  t.equal(failureOf(new TypeError('x is not a function')).unexpected, true);
  t.equal(failureOf('thrown text').message, 'thrown text');
  t.end();
});
