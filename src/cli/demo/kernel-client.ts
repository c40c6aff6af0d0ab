import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import http from 'node:http';
import { Readable } from 'node:stream';
import { generateBytes } from '../../apps/generated-bytes.js';
import { Body, type Check, type Client, type Fetched } from './checks.js';

const PINGS = 3;
/** For a link that the user has spoilt with --fault, too. */
const TIMEOUT_S = 60;

/**
 * The kernel of this network namespace as the peer, by its own ping and curl. Where curl is missing, Node's `http` asks, on a
 * socket of the kernel all the same. The children run beside us: the stack lives in this process and must go on turning.
 * What is still under way when `signal` aborts ends at once.
 */
export function kernelClient(address: string, signal: AbortSignal): Client {
  const base = `http://${address}`;
  const curl = installed('curl');
  return {
    fetcher: curl ? 'curl' : "node's http (curl is not installed)",
    ping: () => ping(address, signal),
    get: (path) => (curl ? runCurl([`${base}${path}`], signal) : request(base + path, 'GET', 0, signal)),
    put: (path, bytes) =>
      curl ? runCurl(['-T', '-', `${base}${path}`], signal, bytes) : request(base + path, 'PUT', bytes, signal),
  };
}

function installed(program: string): boolean {
  return spawnSync(program, [program === 'ping' ? '-V' : '--version'], { stdio: 'ignore' }).error === undefined;
}

async function ping(address: string, signal: AbortSignal): Promise<Check> {
  if (!installed('ping'))
    return { name: 'ping', outcome: 'skipped', text: 'ping is not installed (apt install iputils-ping)' };
  const child = spawn('ping', ['-n', '-c', String(PINGS), '-i', '0.2', '-W', '2', address], {
    env: { ...process.env, LC_ALL: 'C' },
    signal,
  });
  const { status, output, complaint } = await finished(child);
  const received = Number(/(\d+) (?:packets )?received/.exec(output)?.[1] ?? 0);
  const average = /= [\d.]+\/([\d.]+)\//.exec(output)?.[1];
  const text = `${received} of ${PINGS} echo requests answered${average === undefined ? '' : `, ${average} ms on average`}`;
  // Of a link with --fault some may be lost; ping itself says 0 when one was answered.
  return {
    name: 'ping',
    outcome: status === 0 ? 'passed' : 'failed',
    text: complaint === '' ? text : `${text}: ${complaint}`,
  };
}

/** Body on standard output, hashed as it comes; status and time on standard error. */
async function runCurl(args: readonly string[], signal: AbortSignal, uploadBytes = 0): Promise<Fetched> {
  const child = spawn(
    'curl',
    ['-sS', '--noproxy', '*', '--max-time', String(TIMEOUT_S), '-w', '%{stderr}\n%{http_code} %{time_total}', ...args],
    { signal, stdio: [uploadBytes > 0 ? 'pipe' : 'ignore', 'pipe', 'pipe'] },
  );
  const body = new Body();
  if (uploadBytes > 0) feed(child, uploadBytes);
  const { status, complaint } = await finished(child, body);
  const lines = complaint.split('\n');
  const summary = /^(\d{3}) ([\d.]+)$/.exec(lines.pop() ?? '');
  if (status !== 0 || summary === null) throw new Error(lines.join(' ').trim() || `curl ended with status ${status}`);
  return {
    status: Number(summary[1]),
    seconds: Number(summary[2]),
    bytes: body.bytes,
    sha256: body.digest(),
    text: body.text,
  };
}

function feed(child: ChildProcess, bytes: number): void {
  if (child.stdin === null) return;
  // A curl that gives up early closes its end; its status tells.
  child.stdin.on('error', () => {});
  Readable.from(generateBytes(0, bytes), { objectMode: false }).pipe(child.stdin);
}

interface Finished {
  readonly status: number | null;
  readonly output: string;
  readonly complaint: string;
}

function finished(child: ChildProcess, body?: Body): Promise<Finished> {
  return new Promise((resolve, reject) => {
    let output = '';
    let complaint = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      if (body === undefined) output += chunk.toString();
      else body.add(chunk);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, output, complaint: complaint.trim() }));
  });
}

/** By `node:http`; the agent says on whose sockets. */
export function request(
  url: string,
  method: string,
  uploadBytes: number,
  signal: AbortSignal,
  agent?: http.Agent,
): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const options = { method, signal, timeout: TIMEOUT_S * 1000, ...(agent === undefined ? {} : { agent }) };
    const sent = http.request(url, options, (response) => {
      const body = new Body();
      response.on('data', (chunk: Buffer) => body.add(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const seconds = (performance.now() - begun) / 1000;
        const { bytes, text } = body;
        resolve({ status: response.statusCode ?? 0, seconds, bytes, text, sha256: body.digest() });
      });
    });
    sent.once('error', reject);
    sent.once('timeout', () => sent.destroy(new Error(`nothing came for ${TIMEOUT_S} s`)));
    if (uploadBytes > 0) Readable.from(generateBytes(0, uploadBytes), { objectMode: false }).pipe(sent);
    else sent.end();
  });
}
