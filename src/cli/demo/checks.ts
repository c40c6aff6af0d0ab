import { createHash, type Hash } from 'node:crypto';
import { generateBytes } from '../../apps/generated-bytes.js';

/** One thing the demo proves. `skipped` where the program it needs is missing; that is told, and is no failure. */
export interface Check {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly text: string;
}

/** What an HTTP client brought back. */
export interface Fetched {
  readonly status: number;
  readonly bytes: number;
  readonly sha256: string;
  /** The beginning of the body, enough for an upload's answer. */
  readonly text: string;
  readonly seconds: number;
}

/** Somebody who asks our stack from the other side: the kernel by curl and ping, or a second stack of ours. */
export interface Client {
  /** As it is called in the report. */
  readonly fetcher: string;
  ping(): Promise<Check>;
  get(path: string): Promise<Fetched>;
  put(path: string, bytes: number): Promise<Fetched>;
}

/** Long enough for windows to open and few enough for a trace that a person can scroll through. */
export const BULK_BYTES = 1024 * 1024;

/** What is served at `/`. Fixed, so that its hash is known before anybody asks. */
export const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Millrace</title>
<h1>It runs</h1>
<p>This page left a TCP/IP stack written in TypeScript as Ethernet frames. No socket of the kernel was involved on its side.</p>
<ul>
<li><a href="/bytes/1048576">a mebibyte</a> to measure with</li>
<li><code>curl -T FILE http://10.23.0.2/upload</code> answers with the SHA-256 of what came</li>
</ul>
</html>
`;

/** What `get` reads a body with: hashed as it comes, however long. */
export class Body {
  readonly #hash: Hash = createHash('sha256');
  bytes = 0;
  text = '';
  add(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
    if (this.text.length < 1024) this.text += chunk.toString('utf8', 0, 1024);
  }
  digest(): string {
    return this.#hash.digest('hex');
  }
}

/** Ping, the page, bulk down, bulk up; each on its own, so that one failure does not hide the others. */
export async function runChecks(client: Client, onCheck: (check: Check) => void): Promise<Check[]> {
  const checks: Check[] = [];
  const by = client.fetcher;
  const note = (check: Check): void => {
    checks.push(check);
    onCheck(check);
  };
  note(await client.ping().catch((error: unknown) => failed('ping', error)));
  const page = createHash('sha256').update(PAGE).digest('hex');
  note(await compare(by, 'the page', page, async () => resultOf(await client.get('/'))));
  const bulk = bulkHash();
  note(await compare(by, 'a mebibyte down', bulk, async () => resultOf(await client.get(`/bytes/${BULK_BYTES}`))));
  note(await compare(by, 'a mebibyte up', bulk, async () => uploadOf(await client.put('/upload', BULK_BYTES))));
  return checks;
}

interface Result {
  readonly sha256: string;
  readonly bytes: number;
  readonly seconds: number;
}

async function compare(by: string, what: string, sha256: string, fetch: () => Promise<Result>): Promise<Check> {
  try {
    const got = await fetch();
    const text = `${what}: ${got.bytes} bytes in ${(got.seconds * 1000).toFixed(1)} ms, sha256 ${got.sha256.slice(0, 16)}…`;
    if (got.sha256 === sha256) return { name: by, outcome: 'passed', text: `${text} as sent` };
    return { name: by, outcome: 'failed', text: `${text}, but ${sha256.slice(0, 16)}… was sent` };
  } catch (error) {
    return failed(by, error, what);
  }
}

function resultOf(fetched: Fetched): Result {
  if (fetched.status !== 200) throw new Error(`answered with status ${fetched.status}`);
  return fetched;
}

/** The server says what it received. */
function uploadOf(fetched: Fetched): Result {
  const answer = JSON.parse(resultOf(fetched) && fetched.text) as { bytes: number; sha256: string };
  return { ...answer, seconds: fetched.seconds };
}

function bulkHash(): string {
  const hash = createHash('sha256');
  for (const chunk of generateBytes(0, BULK_BYTES)) hash.update(chunk);
  return hash.digest('hex');
}

function failed(name: string, error: unknown, what?: string): Check {
  const message = error instanceof Error ? error.message : String(error);
  return { name, outcome: 'failed', text: what === undefined ? message : `${what}: ${message}` };
}
