import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { enterNetwork, run, startPeer, sysctl } from './network.js';

const skip = enterNetwork('ip');

/** A server of the kernel that answers with what it was sent, in capitals, after the end. */
async function kernelServer(address: string): Promise<net.Server & { port: number }> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('data', (bytes) => {
      text += String(bytes);
    });
    socket.on('end', () => socket.end(text.toUpperCase()));
  });
  server.listen(0, address);
  await once(server, 'listening');
  return Object.assign(server, { port: (server.address() as net.AddressInfo).port });
}

t.test('we connect to a server of the kernel → established, both directions, closed in order', { skip }, async (t) => {
  const peer = await startPeer(t);
  const server = await kernelServer(peer.hostAddress);
  t.teardown(() => server.close());
  const text = 'from our side '.repeat(10_000);
  const result = await peer.call('connect', { host: peer.hostAddress, port: server.port, text });
  t.equal(result.code, '');
  t.equal(result.received, text.toUpperCase());
});

t.test('we connect where the kernel has no listener → ECONNREFUSED', { skip }, async (t) => {
  const peer = await startPeer(t);
  const result = await peer.call('connect', { host: peer.hostAddress, port: 1, text: '' });
  t.equal(result.code, 'ECONNREFUSED');
});

t.test('we connect to an address nobody answers ARP for → EHOSTUNREACH', { skip }, async (t) => {
  const peer = await startPeer(t);
  const nobody = peer.address.replace(/\d+$/, '77');
  const result = await peer.call('connect', { host: nobody, port: 80, text: '' });
  t.equal(result.code, 'EHOSTUNREACH');
});

t.test('a router on the way says unreachable → EHOSTUNREACH or ENETUNREACH, not a timeout', { skip }, async (t) => {
  const peer = await startPeer(t);
  await peer.call('addDefaultRoute', { gateway: peer.hostAddress });
  sysctl('ipv4/ip_forward', 1);
  for (const [kind, code] of [
    ['unreachable', 'EHOSTUNREACH'],
    ['prohibit', 'EHOSTUNREACH'],
  ] as const) {
    await run('ip', ['route', 'replace', kind, '198.51.100.0/24']);
    const result = await peer.call('connect', { host: '198.51.100.7', port: 80, text: '' });
    t.equal(result.code, code, kind);
  }
});

t.test('what lies behind the router swallows every SYN → ETIMEDOUT after the retries', { skip }, async (t) => {
  const peer = await startPeer(t);
  await peer.call('addDefaultRoute', { gateway: peer.hostAddress });
  sysctl('ipv4/ip_forward', 1);
  // The kernel's blackhole: dropped, and nobody is told.
  const route = await run('ip', ['route', 'replace', 'blackhole', '203.0.113.0/24']);
  t.equal(route.status, 0, route.stderr);
  const result = await peer.call('connect', { host: '203.0.113.7', port: 80, text: '', synRetries: 1 });
  t.equal(result.code, 'ETIMEDOUT');
  const { stats } = await peer.call('counts', null);
  t.equal(
    stats.tcpRetransSegs,
    5,
    'four times after a second each, and once after the back-off that synRetries counts',
  );
});

t.test('we connect through a router to a network of its own → established', { skip }, async (t) => {
  const peer = await startPeer(t);
  await peer.call('addDefaultRoute', { gateway: peer.hostAddress });
  await run('ip', ['address', 'replace', '192.0.2.1/32', 'dev', 'lo']);
  const server = await kernelServer('192.0.2.1');
  t.teardown(() => server.close());
  const result = await peer.call('connect', { host: '192.0.2.1', port: server.port, text: 'beyond' });
  t.same(result, { code: '', received: 'BEYOND' });
});
