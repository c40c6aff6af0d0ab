import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PROFILES, type ProfileName } from '../../stack/tcp/profiles.js';
import type { Recording, Sequence } from './step.js';

/** It cannot be done here; `code` says which of the reasons it is. */
export class DifferentialError extends Error {
  constructor(
    readonly code: 'ERR_NO_PROFILE' | 'EPERM' | 'ENODEV' | 'EIO' | 'ERR_PLATFORM',
    message: string,
  ) {
    super(message);
    this.name = 'DifferentialError';
  }
}

/** The profile of a kernel's version, `6.18.44-cloud`; throws ERR_NO_PROFILE where there is none. */
export function profileOf(version: string): ProfileName {
  const name = `linux-${/^\d+\.\d+/.exec(version)?.[0] ?? '?'}`;
  if (Object.hasOwn(PROFILES, name)) return name as ProfileName;
  const known = Object.keys(PROFILES).filter((each) => each.startsWith('linux'));
  throw new DifferentialError(
    'ERR_NO_PROFILE',
    `this kernel is ${version}, and there is a profile for ${known.join(', ')} only: the stack cannot be compared with it`,
  );
}

/** Throws where there is no kernel to compare with. */
export function runningProfile(): ProfileName {
  if (process.platform !== 'linux')
    throw new DifferentialError('ERR_PLATFORM', `needs Linux, and this is ${process.platform}`);
  const profile = profileOf(release());
  if (process.getuid?.() !== 0)
    throw new DifferentialError('EPERM', 'needs root, for a network namespace and a TUN: run with sudo');
  if (!existsSync('/dev/net/tun')) throw new DifferentialError('ENODEV', 'needs /dev/net/tun: run "modprobe tun"');
  return profile;
}

interface Answer {
  readonly settings?: readonly (readonly [string, string])[];
  readonly index?: number;
  readonly recording?: Recording;
  readonly failure?: string;
}

export interface KernelPlay {
  /** In the order of the sequences. */
  readonly recordings: readonly Recording[];
  /** What the kernel's namespace had, of what our stack knows. */
  readonly settings: ReadonlyMap<string, string>;
}

/** Gives the sequences to the kernel, each by itself and many at once. */
export async function playKernel(sequences: readonly Sequence[], onDone: () => void = () => {}): Promise<KernelPlay> {
  const program = fileURLToPath(new URL('./kernel-child.js', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const recordings: Recording[] = [];
  let failure: string | undefined;
  let settings: ReadonlyMap<string, string> = new Map();
  // A child that ends early says why on its output.
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(sequences));
  for await (const line of createInterface({ input: child.stdout })) {
    const answer = JSON.parse(line) as Answer;
    failure ??= answer.failure;
    if (answer.settings !== undefined) settings = new Map(answer.settings);
    if (answer.index === undefined || answer.recording === undefined) continue;
    recordings[answer.index] = answer.recording;
    onDone();
  }
  await ended;
  if (failure !== undefined) throw new DifferentialError('EIO', `the kernel's side ended: ${failure}`);
  if (Object.keys(recordings).length !== sequences.length)
    throw new DifferentialError(
      'EIO',
      `the kernel's side ended after ${Object.keys(recordings).length} of ${sequences.length} sequences`,
    );
  return { recordings, settings };
}
