/** What a run found, for people, for programs, and for docs/conformance.md. */
import { reportLines as scriptLines } from '../../src/packetdrill/report.js';
import { type Kernel, NOT_RUN } from './kernels.js';
import type { Result, Verdict } from './run.js';

export interface Report {
  readonly kernel: Kernel;
  readonly packageVersion?: string;
  readonly results: readonly Result[];
}

export interface Figures {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** A stale reason's script passed, or was not run at all. */
export function figuresOf(results: readonly Result[]): Figures {
  const count = (result: string) => results.filter(({ outcome }) => outcome?.result === result).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

/** Nothing is unexplained, and no reason is stale. */
export function isGood({ results }: Report): boolean {
  return results.every(({ verdict }) => verdict !== 'unexplained' && verdict !== 'stale');
}

function byTopic(results: readonly Result[]): [string, Result[]][] {
  const topics = new Map<string, Result[]>();
  for (const result of results) {
    const list = topics.get(result.topic) ?? [];
    list.push(result);
    topics.set(result.topic, list);
  }
  return [...topics].sort(([a], [b]) => (a < b ? -1 : 1));
}

const WORDS: Readonly<Record<Verdict, string>> = {
  passed: 'ok',
  known: 'failed',
  unexplained: 'UNEXPLAINED',
  stale: 'STALE REASON',
  skipped: 'skipped',
};

function figuresText({ passed, failed, skipped }: Figures): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export function reportLines(report: Report): string[] {
  const { kernel, packageVersion, results } = report;
  const lines = [
    `Linux ${kernel.version}${packageVersion === undefined ? '' : ` (${kernel.package} ${packageVersion})`}`,
  ];
  for (const [topic, list] of byTopic(results)) {
    lines.push(`${topic}: ${figuresText(figuresOf(list))}`);
    for (const { name, verdict, reason, outcome } of list) {
      if (verdict === 'passed') continue;
      lines.push(`  ${WORDS[verdict]} ${name}: ${reason}`);
      if (verdict === 'unexplained' && outcome !== undefined)
        lines.push(...scriptLines(outcome).map((line) => `    ${line}`));
    }
  }
  const unexplained = results.filter(({ verdict }) => verdict === 'unexplained').length;
  const stale = results.filter(({ verdict }) => verdict === 'stale').length;
  lines.push(`all: ${figuresText(figuresOf(results))}; ${unexplained} unexplained, ${stale} stale reasons`);
  lines.push(...notRunLines(kernel));
  return lines;
}

/** The kernel's runner runs most scripts more than once. */
export function notRunLines({ version, ipVersions }: Kernel): string[] {
  return ipVersions.flatMap((ip) =>
    ip === 'ipv4' ? [] : [`not run: what ${version} runs again as ${ip}: ${NOT_RUN[ip]}`],
  );
}

export function jsonReport(reports: readonly Report[]): string {
  const kernels = reports.map((report) => ({
    kernel: report.kernel.version,
    profile: report.kernel.profile,
    ...(report.packageVersion === undefined
      ? {}
      : { package: report.kernel.package, packageVersion: report.packageVersion }),
    ...figuresOf(report.results),
    good: isGood(report),
    scripts: report.results.map(({ name, topic, verdict, reason, outcome }) => ({
      name,
      topic,
      verdict,
      ...(reason === '' ? {} : { reason }),
      ...(outcome?.result === 'failed'
        ? { found: outcome.reason, line: outcome.place?.line, expected: outcome.expected, seen: outcome.seen }
        : {}),
    })),
  }));
  return JSON.stringify({ kernels }, undefined, 2);
}

/** The section of one kernel in docs/conformance.md. */
export function pageLines(report: Report): string[] {
  const { kernel, packageVersion, results } = report;
  const figures = figuresOf(results);
  const total = figures.passed + figures.failed + figures.skipped;
  const lines = [
    `### Linux ${kernel.version}`,
    '',
    `\`${kernel.package}\` ${packageVersion ?? ''}, under the profile \`${kernel.profile}\`: ${total} scripts, ${figuresText(figures)}.`,
    '',
    '| topic of Linux | passed | failed | skipped |',
    '|---|---|---|---|',
  ];
  for (const [topic, list] of byTopic(results)) {
    const { passed, failed, skipped } = figuresOf(list);
    lines.push(`| ${topic} | ${passed} | ${failed} | ${skipped} |`);
  }
  lines.push('');
  const others = results.filter(({ outcome }) => outcome !== undefined && outcome.result !== 'passed');
  if (others.length > 0) {
    lines.push('| script | outcome | why |', '|---|---|---|');
    for (const { name, reason, outcome } of others)
      lines.push(`| \`${name}\` | ${outcome?.result} | ${reason.replaceAll('|', '\\|').replaceAll('\n', ' ')} |`);
    lines.push('');
  }
  const again = kernel.ipVersions.flatMap((ip) => (ip === 'ipv4' ? [] : [`as ${ip} (${NOT_RUN[ip]})`]));
  lines.push(`Linux's runner runs most of them again ${again.join(' and ')}; this does not.`, '');
  return lines;
}
