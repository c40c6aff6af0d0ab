import t from 'tap';
import { enterNetwork, run, startPeer } from './network.js';

const skip = enterNetwork('ip', 'ping');

interface Replies {
  readonly sent: number;
  /** Duplicates, wrong bytes, errors: whatever a good reply does not show. */
  readonly faults: string;
}

/**
 * Pings until `count` replies have come. Without the deadline of `-w`, ping waits for the last reply only twice as long as the slowest before it
 * took, which on a busy machine is too short; with it, it asks again when an answer is late: so what was lost is told by
 * comparing `sent` with what the stack has answered.
 */
async function ping(address: string, count: number, ...options: string[]): Promise<Replies> {
  const { status, stdout, stderr } = await run('ping', ['-c', `${count}`, '-w', '30', ...options, address]);
  const faults: string[] = stdout.match(/.*(?:DUP!|wrong data|truncated|BAD|errors).*/g) ?? [];
  if (status !== 0) faults.push(`status ${status}`, stderr);
  return { sent: Number(/(\d+) packets transmitted/.exec(stdout)?.[1]), faults: faults.join('\n') };
}

/** 1472 is the last to fit an Ethernet frame; 65507 the last to fit an IP datagram: 45 fragments each way. */
const SIZES = [0, 1, 56, 1472, 1473, 8000, 65_507];

t.test('ping of every size, whole and in fragments → every reply, every byte as sent', { skip }, async (t) => {
  const peer = await startPeer(t);
  const sent = new Map<number, number>();
  for (const size of SIZES) {
    // A pattern of its own for each size, which ping compares.
    const pattern = (size % 251).toString(16).padStart(2, '0');
    const replies = await ping(peer.address, 5, '-i', '0.1', '-s', `${size}`, '-p', pattern);
    t.equal(replies.faults, '', `${size} bytes`);
    sent.set(size, replies.sent);
  }
  const of = (size: number): number => sent.get(size) ?? 0;
  const all = SIZES.reduce((sum, size) => sum + of(size), 0);
  const { stats } = await peer.call('counts', null);
  t.equal(stats.icmpInEchos, all, 'every request came');
  t.equal(stats.icmpOutEchoReps, all, 'and was answered');
  t.equal(stats.ipReasmFails, 0);
  t.equal(stats.ipReasmOKs, of(1473) + of(8000) + of(65_507), 'three sizes came in fragments');
  // 1473 bytes and the ICMP header make two fragments, 8000 six, 65,507 forty-five.
  t.equal(stats.ipFragCreates, 2 * of(1473) + 6 * of(8000) + 45 * of(65_507), 'and went back in as many');
});

t.test('flood of 200 echo requests → 200 replies', { skip }, async (t) => {
  const peer = await startPeer(t);
  const { sent, faults } = await ping(peer.address, 200, '-f', '-q');
  t.equal(faults, '');
  const { stats } = await peer.call('counts', null);
  t.same([stats.icmpInEchos, stats.icmpOutEchoReps], [sent, sent]);
});

t.test('first packet to the kernel → its neighbour entry has our MAC address and is confirmed', { skip }, async (t) => {
  const peer = await startPeer(t);
  const before = await run('ip', ['neigh', 'show', peer.address]);
  t.notMatch(before.stdout, /REACHABLE/);
  await ping(peer.address, 1);
  const entry = await run('ip', ['neigh', 'show', peer.address, 'dev', peer.interfaceName]);
  const mac = /lladdr (([0-9a-f]{2}:){5}[0-9a-f]{2}) (REACHABLE|DELAY)/.exec(entry.stdout)?.[1] ?? '';
  t.match(mac, /^[0-9a-f]2:|^[0-9a-f][6ae]:/, 'locally administered, for one station');
  const link = await run('ip', ['link', 'show', peer.interfaceName]);
  t.notMatch(link.stdout, `link/ether ${mac}`, "not the kernel's own");
});

t.test('two addresses on one interface → both answer ping, each from itself', { skip }, async (t) => {
  const peer = await startPeer(t);
  await peer.call('addAddress', { address: peer.secondAddress });
  for (const address of [peer.address, peer.secondAddress]) {
    // A reply from another address than was asked would not count.
    t.equal((await ping(address, 3, '-i', '0.1')).faults, '');
  }
});

t.test('an address of the subnet that is nobody’s → not answered for', { skip }, async (t) => {
  const peer = await startPeer(t);
  const nobody = peer.address.replace(/\d+$/, '77');
  const ping = await run('ping', ['-c', '1', '-W', '1', nobody]);
  t.equal(ping.status, 1);
  const { verdicts } = await peer.call('counts', null);
  t.ok((verdicts.ARP_NOT_FOR_US ?? 0) >= 1, 'the question was heard, and was not ours to answer');
});
