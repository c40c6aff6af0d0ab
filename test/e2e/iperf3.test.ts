import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { enterNetwork, run, startCommand, startPeer } from './network.js';
import { Port } from './peer-protocol.js';

const skip = enterNetwork('ip', 'iperf3');

interface Sum {
  readonly bytes: number;
  readonly bits_per_second: number;
}
interface Result {
  readonly error?: string;
  readonly end?: {
    readonly sum_sent: Sum;
    readonly sum_received: Sum;
    readonly sum_sent_bidir_reverse?: Sum;
    readonly sum_received_bidir_reverse?: Sum;
    readonly streams: readonly unknown[];
  };
}

async function iperf3(address: string, ...options: string[]): Promise<Result> {
  const { stdout } = await run('iperf3', ['-J', '--connect-timeout', '10000', '-c', address, ...options]);
  return JSON.parse(stdout) as Result;
}

const MIB = 2 ** 20;

t.test('iperf3 -c, to us and from us → both ends agree on what was sent', { skip }, async (t) => {
  const command = await startCommand(t, ['iperf3']);
  const { address } = command;
  for (const [direction, ...options] of [['to us'], ['from us', '-R'], ['from us, on four streams', '-R', '-P', '4']]) {
    const { error, end } = await iperf3(address, '-n', '16M', ...options);
    t.equal(error, undefined, direction);
    t.ok((end?.sum_sent.bytes ?? 0) >= 16 * MIB, `${end?.sum_sent.bytes} bytes sent`);
    t.ok((end?.sum_received.bytes ?? 0) > 0 && (end?.sum_received.bytes ?? 0) <= (end?.sum_sent.bytes ?? 0));
    t.comment(`${direction}: ${Math.round((end?.sum_received.bits_per_second ?? 0) / 1e6)} Mbit/s`);
  }
  await command.printed(/1 stream,.*\n.*1 stream,.*\n.*4 streams,.*\n/);
  t.notMatch(command.stdout, /not complete/);
});

t.test('iperf3 --bidir, -P, -N, -M, -w, -O, -b → as asked', { skip }, async (t) => {
  const { address } = await startPeer(t);
  const both = await iperf3(address, '-t', '1', '--bidir', '-P', '2', '-O', '1');
  t.equal(both.error, undefined);
  t.equal(both.end?.streams.length, 4);
  t.ok((both.end?.sum_received.bytes ?? 0) > 0, 'towards us');
  t.ok((both.end?.sum_received_bidir_reverse?.bytes ?? 0) > 0, 'and back');

  const small = await iperf3(address, '-n', '2M', '-R', '-M', '500', '-N', '-w', '100K');
  t.equal(small.end?.sum_received.bytes, 2 * MIB, 'exactly as many bytes as asked for');

  // Long enough that a client which begins to listen late makes no difference.
  const paced = await iperf3(address, '-n', '4M', '-R', '-b', '20M');
  const rate = paced.end?.sum_received.bits_per_second ?? 0;
  t.ok(rate > 0 && rate < 25e6, `${rate} bits a second`);
});

t.test('UDP → iperf3 is told that there is none; a second client, that we are busy', { skip }, async (t) => {
  const peer = await startPeer(t);
  t.match((await iperf3(peer.address, '-u', '-t', '1')).error, /not implemented/);

  // Lasts until it is told to end.
  const first = spawn('iperf3', ['--forceflush', '-c', peer.address, '-t', '60', '-b', '1M', '-i', '0.1']);
  const ended = once(first, 'exit');
  await once(first.stdout, 'data');
  t.match((await iperf3(peer.address, '-t', '1')).error, /busy/);
  first.kill('SIGINT');
  await ended;
  const again = await iperf3(peer.address, '-n', '1M');
  t.equal(again.error, undefined, 'afterwards the next is served');
});

t.test('iperf3 -s of the kernel behind a relay of ours → we are the client, both ways', { skip }, async (t) => {
  const peer = await startPeer(t);
  const server = spawn('iperf3', ['-s', '--forceflush', '-B', peer.hostAddress, '-p', '5300']);
  t.teardown(() => server.kill());
  await once(server.stdout, 'data');
  await peer.call('relay', { port: 5300, host: peer.hostAddress, toPort: 5300 });
  for (const options of [[], ['-R']]) {
    const { error, end } = await iperf3(peer.address, '-p', '5300', '-n', '48M', ...options);
    t.equal(error, undefined);
    // What the relay's buffers hold when the client has sent all, up to their limits, iperf3 does not count.
    t.ok((end?.sum_received.bytes ?? 0) > 32 * MIB, `${end?.sum_received.bytes} bytes`);
  }
  t.not(Port.IPERF3, 5300);
});
