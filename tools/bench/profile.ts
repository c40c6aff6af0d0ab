/** `bench profile FILE`: where the time of a V8 CPU profile went, as text. */
import { readFileSync } from 'node:fs';
import Table from 'cli-table3';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface HotSpot {
  readonly name: string;
  readonly file: string;
  readonly selfUs: number;
  /** With everything it called; a function below itself counts once. */
  readonly totalUs: number;
}

export interface ProfileSummary {
  /** Time the process was not idle. */
  readonly busyUs: number;
  readonly idleUs: number;
  readonly functions: readonly HotSpot[];
  readonly files: readonly { readonly file: string; readonly selfUs: number }[];
}

/** The file as we know it: below the build's root, or the package, or what V8 calls itself. */
function fileOf(url: string): string {
  if (url === '') return '(native)';
  const built = /\/dist\/((?:stack|drivers|src|tools|test)\/.*)$/.exec(url);
  if (built !== null) return built[1];
  const installed = /\/node_modules\/(.*)$/.exec(url);
  return installed !== null ? installed[1] : url;
}

/** The file is not there or is no CPU profile. */
export class ProfileError extends Error {
  override readonly name = 'ProfileError';
}

export function parseProfile(text: string): CpuProfile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProfileError('not a CPU profile: not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new ProfileError('not a CPU profile: no object');
  for (const key of ['nodes', 'samples', 'timeDeltas']) {
    if (!Array.isArray((value as Record<string, unknown>)[key])) throw new ProfileError(`not a CPU profile: no ${key}`);
  }
  return value as CpuProfile;
}

function readProfile(path: string): CpuProfile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ProfileError(error instanceof Error ? error.message : String(error));
  }
  return parseProfile(text);
}

export function summarize(profile: CpuProfile): ProfileSummary {
  const selfUs = new Map<number, number>();
  // A delta is the time before its sample, so it belongs to the sample before; the first has none.
  for (let i = 1; i < profile.samples.length; i++) {
    const node = profile.samples[i - 1];
    selfUs.set(node, (selfUs.get(node) ?? 0) + Math.max(0, profile.timeDeltas[i]));
  }
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const keyOf = ({ callFrame }: ProfileNode): string =>
    `${callFrame.functionName || '(anonymous)'} ${fileOf(callFrame.url)}:${callFrame.lineNumber + 1}`;
  const spots = new Map<string, { name: string; file: string; selfUs: number; totalUs: number }>();
  const files = new Map<string, number>();
  let busyUs = 0;
  let idleUs = 0;

  // Depth first, with the functions on the path counted, so that recursion adds its time once.
  const onPath = new Map<string, number>();
  const visit = (id: number): number => {
    const node = nodes.get(id);
    if (node === undefined) return 0;
    const key = keyOf(node);
    const depth = onPath.get(key) ?? 0;
    onPath.set(key, depth + 1);
    const own = selfUs.get(id) ?? 0;
    let total = own;
    for (const child of node.children ?? []) total += visit(child);
    onPath.set(key, depth);
    const { functionName, url, lineNumber } = node.callFrame;
    if (functionName === '(idle)') idleUs += own;
    else {
      busyUs += own;
      const file = fileOf(url);
      const place = url === '' ? file : `${file}:${lineNumber + 1}`;
      const spot = spots.get(key) ?? { name: functionName || '(anonymous)', file: place, selfUs: 0, totalUs: 0 };
      spot.selfUs += own;
      if (depth === 0) spot.totalUs += total;
      spots.set(key, spot);
      files.set(file, (files.get(file) ?? 0) + own);
    }
    return total;
  };
  const [root] = profile.nodes;
  if (root !== undefined) visit(root.id);

  return {
    busyUs,
    idleUs,
    functions: [...spots.values()].filter((spot) => spot.name !== '(root)').sort((a, b) => b.selfUs - a.selfUs),
    files: [...files].map(([file, self]) => ({ file, selfUs: self })).sort((a, b) => b.selfUs - a.selfUs),
  };
}

export function formatSummary(summary: ProfileSummary, top: number): string {
  const share = (us: number): string => (summary.busyUs > 0 ? `${((us / summary.busyUs) * 100).toFixed(1)}%` : '–');
  const style = { head: [], border: [] };
  const functions = new Table({ head: ['self', 'with callees', 'function', 'where'], style });
  for (const spot of summary.functions.slice(0, top)) {
    functions.push([share(spot.selfUs), share(spot.totalUs), spot.name, spot.file]);
  }
  const files = new Table({ head: ['self', 'file'], style });
  for (const { file, selfUs } of summary.files.slice(0, top)) files.push([share(selfUs), file]);
  const [hottest] = summary.functions;
  const figure = `busy ${(summary.busyUs / 1e6).toFixed(2)} s, idle ${(summary.idleUs / 1e6).toFixed(2)} s`;
  const most = hottest === undefined ? '' : `; most in ${hottest.name}, ${share(hottest.selfUs)}`;
  return `${functions.toString()}\n${files.toString()}\n${figure}${most}`;
}

export function runProfile(path: string, top: number, json: boolean): void {
  const summary = summarize(readProfile(path));
  process.stdout.write(
    `${json ? JSON.stringify({ benchmark: 'profile', ...summary }) : formatSummary(summary, top)}\n`,
  );
}
