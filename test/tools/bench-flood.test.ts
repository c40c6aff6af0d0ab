/** `bench flood` and `bench cost`: short runs over a TAP, and how their figures are made. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { parseAddress } from '../../stack/net/address.js';
import { Medium } from '../../stack/net/device.js';
import { Stack } from '../../stack/stack.js';
import { Verdict } from '../../stack/wire/verdict.js';
import { type FloodRow, floodFigure, formatFloods, ratioOf } from '../../tools/bench/flood.js';
import { FLOODS, type FloodResult, floodFrames } from '../../tools/bench/flood-frames.js';

const entry = fileURLToPath(new URL('../../tools/bench/main.js', import.meta.url));
const isRoot = process.getuid?.() === 0;
const noTap = existsSync('/dev/net/tun') ? false : 'no /dev/net/tun';
const skip = isRoot ? noTap : 'network namespaces with names are root’s';

async function bench(...args: string[]): Promise<{ status: number; report: unknown; pid: number | undefined }> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number]>]);
  return { status, report: output === '' ? undefined : JSON.parse(output), pid: child.pid };
}

function namespacesOf(pid: number | undefined): string[] {
  return readdirSync('/run/netns').filter((name) => name.startsWith(`mrbench-${pid}-`));
}

t.test('each kind of frame → is what the stack takes it for', (t) => {
  const slab = new FrameSlab({ slots: 64 });
  const stack = new Stack({ seed: 1, slab, tcp: { connectionsMax: 16, activeMax: 16 } });
  const address = parseAddress('10.0.0.1');
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
  const addresses = [{ address, prefixLength: 24 }];
  const { index } = stack.net.addInterface({ name: 'a', medium: Medium.ETHERNET, mac, addresses });
  stack.tcp.listen({ address, port: 7 });
  stack.net.neighbors.heard(stack.net.interfaces[0], parseAddress('10.0.0.2'), 0x0200, 2, 1);
  const target = { mac, address, openPort: 7, closedPort: 9, fromMac: Uint8Array.of(2, 0, 0, 0, 0, 2) };
  const expected = {
    syn: Verdict.OK,
    ack: Verdict.TCP_NO_CONNECTION,
    rst: Verdict.TCP_RST_INVALID,
    icmp: Verdict.OK,
    udp: Verdict.UDP_NO_PORT,
  };
  for (const kind of FLOODS) {
    const frames = floodFrames(kind, { ...target, from: parseAddress('10.0.0.2') }, 3);
    t.equal(new Set(frames.map((frame) => frame.join())).size, 3, 'three senders');
    const at = slab.take() + slab.headroom;
    slab.bytes.set(frames[0], at);
    t.equal(stack.receive(index, at, frames[0].length), expected[kind], kind);
    slab.give(at);
  }
  t.end();
});

function result(p99: number, alone: number): FloodResult {
  const latency = { perSecond: 1000, echoes: 100, p50: 10 };
  return { kind: 'ack', saturation: 2000, quiet: { ...latency, p99: alone }, flooded: { ...latency, p99 } };
}

t.test('ratios → of each run, and of those the median; the figure counts those within two', (t) => {
  const row: FloodRow = { kind: 'ack', side: 'new', results: [result(300, 100), result(20, 20), result(500, 250)] };
  t.equal(ratioOf(row, 'p99').median, 2);
  const bad: FloodRow = { kind: 'udp', side: 'new', results: [result(300, 100)] };
  const old: FloodRow = { kind: 'udp', side: 'old', results: [result(900, 100)] };
  t.equal(floodFigure([row, old, bad]), 'p99 of a live echo at most ×2 in 1 of 2 floods: ack ×2.00 · udp ×3.00');
  t.match(formatFloods([row, old]), /udp *│ old .*×9 /);
  t.end();
});

t.test('bad values → status 2, and what is allowed', (t) => {
  const run = (...args: string[]) => spawnSync(process.execPath, [entry, ...args], { encoding: 'utf8' });
  t.match(run('flood', '--only', 'dns'), { status: 2, stderr: /--only.*dns is not one of syn, ack/ });
  t.match(run('flood', '--seconds', '61'), { status: 2, stderr: /--seconds.*at most 60/ });
  t.match(run('flood', '--server', 'node'), { status: 2, stderr: /--server.*reactor, sockets/ });
  t.match(run('cost', '--runs', '0'), { status: 2, stderr: /--runs.*above 0/ });
  if (!isRoot) for (const name of ['flood', 'hogs', 'cost']) t.match(run(name), { status: 2, stderr: /root/ });
  t.end();
});

t.test('a short flood over a TAP → rates and latencies, nothing left behind', { skip }, async (t) => {
  const { status, report, pid } = await bench('flood', '--quick', '--json', '--only=ack', '--seconds=0.1');
  t.equal(status, 0);
  t.match(report, { benchmark: 'flood', runs: 1, rows: [{ kind: 'ack', side: 'new' }] });
  const [{ results }] = (report as { rows: FloodRow[] }).rows;
  t.equal(results.length, 1);
  const { saturation, quiet, flooded } = results[0];
  t.ok(saturation > 0 && flooded.perSecond > 0);
  for (const { echoes, p50, p99 } of [quiet, flooded]) t.ok(echoes > 0 && p50 > 0 && p99 >= p50);
  t.equal(quiet.perSecond, 0);
  t.same(namespacesOf(pid), []);
});

t.test('costs over a TAP → each above zero, nothing left behind', { skip }, async (t) => {
  const { status, report, pid } = await bench('cost', '--json', '--runs=1');
  t.equal(status, 0);
  const { costs } = report as { costs: Record<string, number> };
  t.same(Object.keys(costs).sort(), ['lookUs', 'receivedUs', 'sentUs', 'turnUs']);
  t.ok(costs.turnUs > 0 && costs.lookUs > 0 && costs.receivedUs > 0);
  t.same(namespacesOf(pid), []);
});
