/**
 * The kernel's side, in a process of its own: puts itself into a network namespace, makes a TUN there, and gives the sequences of its
 * standard input to the kernel, many at once. One JSON object a line comes out for each. No event loop: between a step and what comes
 * of it nothing else may happen.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { openTun } from '../../drivers/tap.js';
import { addressee, addresseeOf, Conversation, type Ends, LOCAL_HOST } from './conversation.js';
import { KernelEndpoint } from './kernel-endpoint.js';
import { readSettings, SETTINGS_OF_OURS } from './kernel-settings.js';
import type { Sequence } from './step.js';

const CLONE_NEWNET = 0x40000000;
/** So many go on at once: more would only make each wait for the others. */
const AT_ONCE = 48;
/** Two begin at least this far apart, so that their bursts do not fall together. */
const APART_US = 3000;
const FIRST_PORT = 10_000;
const PORTS = 20_000;

interface Running {
  readonly index: number;
  readonly sequence: Sequence;
  readonly conversation: Conversation;
  readonly startUs: number;
  next: number;
  dueUs: number;
}

function endsOf(index: number): Ends {
  // A port of its own for each, also of those that are long over: what lies in TIME-WAIT answers for its port.
  return { localPort: FIRST_PORT + (index % PORTS), remoteHost: `192.0.2.${1 + (index % 250)}`, remotePort: 40_000 };
}

function nowUs(): number {
  return Math.floor(performance.now() * 1000);
}

function say(message: object): void {
  const text = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < text.length; ) {
    try {
      at += writeSync(1, text, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

function enter(): KernelEndpoint {
  const unshare: (flags: number) => number = koffi.load(null).func('int unshare(int flags)');
  if (unshare(CLONE_NEWNET) !== 0) throw new Error(`no network namespace can be made (errno ${koffi.errno()})`);
  for (const [name, value] of SETTINGS_OF_OURS) writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, value);
  const tun = openTun('tun0', { hostAddress: `${LOCAL_HOST}/16` });
  execFileSync('ip', ['route', 'add', 'default', 'dev', 'tun0']);
  return new KernelEndpoint(tun.pollFd);
}

function run(endpoint: KernelEndpoint, sequences: readonly Sequence[]): void {
  const running = new Map<string, Running>();
  let next = 0;
  let lastStartUs = 0;
  const collect = () => {
    for (let each = endpoint.take(); each !== undefined; each = endpoint.take()) {
      const one = running.get(addresseeOf(each) ?? '');
      if (one !== undefined) one.conversation.sent(each, nowUs() - one.startUs);
    }
  };
  const step = (one: Running) => {
    const { steps, tailUs } = one.sequence;
    const step = steps[one.next];
    if (step === undefined) {
      running.delete(addressee(one.conversation.ends));
      say({ index: one.index, recording: one.conversation.finish(nowUs() - one.startUs) });
      for (const fd of one.conversation.open) endpoint.abort(fd);
      collect();
      return;
    }
    const us = nowUs() - one.startUs;
    one.conversation.perform(step, us);
    collect();
    one.next += 1;
    one.dueUs = one.startUs + us + (steps[one.next]?.gapUs ?? tailUs);
  };
  while (next < sequences.length || running.size > 0) {
    const at = nowUs();
    collect();
    const sequence = sequences[next];
    if (sequence !== undefined && running.size < AT_ONCE && at >= lastStartUs + APART_US) {
      const conversation = new Conversation(endpoint, endsOf(next));
      const one = { index: next, sequence, conversation, startUs: at, next: 0, dueUs: at };
      running.set(addressee(conversation.ends), one);
      next += 1;
      lastStartUs = at;
    }
    let first: Running | undefined;
    for (const one of running.values()) if (first === undefined || one.dueUs < first.dueUs) first = one;
    if (first !== undefined && first.dueUs <= nowUs()) {
      step(first);
      continue;
    }
    const starts = next < sequences.length && running.size < AT_ONCE ? lastStartUs + APART_US : Infinity;
    const waitUs = Math.min(first?.dueUs ?? Infinity, starts) - nowUs();
    // The last millisecond is spent looking, because poll() counts whole ones.
    if (waitUs > 1000) endpoint.wait(Math.floor(waitUs / 1000));
  }
}

try {
  const sequences = JSON.parse(readFileSync(0, 'utf8')) as Sequence[];
  const endpoint = enter();
  say({ settings: readSettings() });
  run(endpoint, sequences);
} catch (error) {
  say({ failure: (error as Error).message });
  process.exitCode = 1;
}
