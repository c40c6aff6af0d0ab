import { createHash } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { parseRange } from './byte-range.js';
import { contentType } from './content-types.js';
import { type CutShort, Delivery } from './delivery.js';
import { generateBytes } from './generated-bytes.js';

export interface PageServerOptions {
  /** The directory to serve. Without one there is a page that says what runs here. */
  readonly directory?: string;
  /** Without a directory: the page. */
  readonly page?: string;
  /** Accept `PUT /upload` and `POST /upload`, which answer with the count and SHA-256 of what came. Default true. */
  readonly upload?: boolean;
  /** Answer `/bytes/N` with N bytes of a fixed pattern. Default true. */
  readonly bytes?: boolean;
  /** Called once for each answer, for a log: when the connection has taken it, or has ended before (`cut`). */
  readonly onAnswer?: (request: http.IncomingMessage, status: number, cut: CutShort | undefined) => void;
}

/** The longest `/bytes/N`: a tebibyte is a test of patience already. */
const GENERATED_BYTES_MAX = 2 ** 40;

/** An answer that is not the thing asked for. */
class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: http.OutgoingHttpHeaders = {},
  ) {
    super(message);
  }
}

/**
 * A small, careful web server: files under one directory and nothing beside it, with conditional and range requests, and the
 * two resources that measurements need. It is `node:http` throughout; where it listens is for the caller to say.
 */
export function createPageServer(options: PageServerOptions = {}): http.Server {
  const site = new Site(options);
  const server = http.createServer((request, response) => {
    const delivery = new Delivery(request, response);
    site
      .answer(request, response, delivery)
      .catch((error: unknown) => fail(request, response, error))
      .then(() => delivery.done)
      .then(() => options.onAnswer?.(request, response.statusCode, delivery.cut));
  });
  // A client that ends its half after the request still reads: HTTP/1.0 programs do so, and `nc -N`. Node would end the connection with
  // whatever part of the answer is out. It has the option, and its documentation leaves it out.
  return Object.assign(server, { httpAllowHalfOpen: true });
}

class Site {
  readonly #options: PageServerOptions;
  /** The directory with every link resolved: what a file's own resolved path must begin with. */
  #root: Promise<string> | null = null;

  constructor(options: PageServerOptions) {
    this.#options = options;
  }

  async answer(request: http.IncomingMessage, response: http.ServerResponse, delivery: Delivery): Promise<void> {
    const name = pathOf(request.url ?? '/');
    if (name === '/upload' && this.#options.upload !== false) return receiveUpload(request, response);
    await delivery.turn();
    allow(request, 'GET', 'HEAD');
    const generated = /^\/bytes\/(\d{1,15})$/.exec(name);
    if (generated !== null && this.#options.bytes !== false) {
      return sendGenerated(request, response, Number(generated[1]), delivery);
    }
    if (this.#options.directory === undefined) {
      if (name !== '/') throw new HttpError(404, 'There is no such page.');
      return sendText(request, response, 200, this.#options.page ?? defaultPage());
    }
    return this.#sendFile(request, response, name, this.#options.directory, delivery);
  }

  async #sendFile(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    name: string,
    directory: string,
    delivery: Delivery,
  ): Promise<void> {
    this.#root ??= realpath(directory);
    const root = await this.#root.catch(() => {
      this.#root = null;
      throw new HttpError(404, 'The directory that is served does not exist.');
    });
    const found = await resolveInside(root, name);
    if (!found.stats.isDirectory()) {
      if (name.endsWith('/')) throw new HttpError(404, 'There is no such file.');
      return sendFile(request, response, found.file, delivery);
    }
    if (!name.endsWith('/')) {
      // Without the slash the links of the page would lead beside the directory.
      response.writeHead(308, { Location: `${encodeURI(name).replace(/^\/+/, '/')}/`, 'Content-Length': 0 }).end();
      return;
    }
    const index = await resolveInside(root, `${name}index.html`).catch(() => null);
    if (index?.stats.isFile()) return sendFile(request, response, index.file, delivery);
    const entries = await readdir(found.file, { withFileTypes: true });
    return sendText(request, response, 200, listing(name, entries));
  }
}

/** The path of a request, decoded. What no file name can hold is refused before it reaches the file system. */
function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  // The absolute form of a request to a proxy, RFC 9112 §3.2.2, which a server must accept.
  const target = (end < 0 ? url : url.slice(0, end)).replace(/^https?:\/\/[^/]*/i, '');
  let name: string;
  try {
    name = decodeURIComponent(target === '' ? '/' : target);
  } catch {
    throw new HttpError(400, 'The path is not well encoded.');
  }
  if (!name.startsWith('/') || name.includes('\0') || name.includes('\\'))
    throw new HttpError(400, 'The path is not valid.');
  if (name.split('/').includes('..')) throw new HttpError(400, 'The path leads out of the directory.');
  return name;
}

/** The file a path names, all links followed. One that ends outside the root does not exist for us. */
async function resolveInside(root: string, name: string): Promise<{ file: string; stats: Stats }> {
  try {
    const file = await realpath(path.join(root, name));
    if (file !== root && !file.startsWith(root === path.sep ? root : root + path.sep)) throw new Error('outside');
    const stats = await stat(file);
    if (!stats.isFile() && !stats.isDirectory()) throw new Error('neither file nor directory');
    return { file, stats };
  } catch {
    throw new HttpError(404, 'There is no such file.');
  }
}

async function sendFile(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  file: string,
  delivery: Delivery,
): Promise<void> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EACCES' ? new HttpError(403, 'The file may not be read.') : error;
  });
  try {
    // Of the open file, which cannot change its identity any more.
    const stats = await handle.stat();
    const entityTag = `"${stats.size.toString(16)}-${Math.floor(stats.mtimeMs).toString(16)}"`;
    const headers: http.OutgoingHttpHeaders = {
      'Accept-Ranges': 'bytes',
      'Content-Type': contentType(file),
      ETag: entityTag,
      'Last-Modified': stats.mtime.toUTCString(),
      'X-Content-Type-Options': 'nosniff',
    };
    if (notModified(request, entityTag, stats.mtime)) {
      response.writeHead(304, headers).end();
      return;
    }
    const range = rangeApplies(request, entityTag, stats.mtime)
      ? parseRange(request.headers.range, stats.size)
      : undefined;
    if (range === null) {
      throw new HttpError(416, 'The range lies outside the file.', { 'Content-Range': `bytes */${stats.size}` });
    }
    const first = range?.first ?? 0;
    const last = range?.last ?? stats.size - 1;
    headers['Content-Length'] = last - first + 1;
    if (range !== undefined) headers['Content-Range'] = `bytes ${first}-${last}/${stats.size}`;
    response.writeHead(range === undefined ? 200 : 206, headers);
    if (request.method === 'HEAD' || last < first) {
      response.end();
      return;
    }
    await delivery.send(handle.createReadStream({ start: first, end: last, autoClose: false }), last - first + 1);
  } finally {
    await handle.close();
  }
}

/** RFC 9110 §13.2.2: the entity tag decides where the client sent one, else the date. */
function notModified(request: http.IncomingMessage, entityTag: string, modified: Date): boolean {
  const tags = request.headers['if-none-match'];
  if (tags !== undefined) {
    return tags.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === entityTag);
  }
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  return Number.isFinite(since) && Math.floor(modified.getTime() / 1000) * 1000 <= since;
}

/** RFC 9110 §13.1.5: a range counts only for the version that If-Range names. */
function rangeApplies(request: http.IncomingMessage, entityTag: string, modified: Date): boolean {
  const wanted = request.headers['if-range'];
  if (request.method !== 'GET') return false;
  if (wanted === undefined || wanted === entityTag) return true;
  if (typeof wanted !== 'string') return false;
  return Date.parse(wanted) === Math.floor(modified.getTime() / 1000) * 1000;
}

async function receiveUpload(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  allow(request, 'PUT', 'POST');
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  const body = `${JSON.stringify({ bytes, sha256: hash.digest('hex') })}\n`;
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }).end(body);
}

async function sendGenerated(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  size: number,
  delivery: Delivery,
): Promise<void> {
  if (size > GENERATED_BYTES_MAX) throw new HttpError(400, `At most ${GENERATED_BYTES_MAX} bytes can be asked for.`);
  const range = request.method === 'GET' ? parseRange(request.headers.range, size) : undefined;
  if (range === null) throw new HttpError(416, 'The range lies outside.', { 'Content-Range': `bytes */${size}` });
  const first = range?.first ?? 0;
  const last = range?.last ?? size - 1;
  response.writeHead(range === undefined ? 200 : 206, {
    'Accept-Ranges': 'bytes',
    'Content-Type': 'application/octet-stream',
    'Content-Length': last - first + 1,
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${first}-${last}/${size}` }),
  });
  if (request.method === 'HEAD') response.end();
  else await delivery.send(Readable.from(generateBytes(first, last + 1), { objectMode: false }), last - first + 1);
}

function sendText(request: http.IncomingMessage, response: http.ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(html),
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : html);
}

function allow(request: http.IncomingMessage, ...methods: string[]): void {
  if (methods.includes(request.method ?? '')) return;
  throw new HttpError(405, 'This method is not supported here.', { Allow: methods.join(', ') });
}

function fail(request: http.IncomingMessage, response: http.ServerResponse, error: unknown): void {
  // The answer has begun, or nobody is there to hear another: all that can be said now is that it ended too early.
  if (response.headersSent || request.destroyed) {
    response.destroy();
    return;
  }
  const known = error instanceof HttpError ? error : new HttpError(500, 'Something went wrong here.');
  const body = `${known.message}\n`;
  response.writeHead(known.status, {
    ...known.headers,
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function listing(name: string, entries: Dirent[]): string {
  const rows = entries
    .filter((entry) => !entry.name.startsWith('.'))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort((a, b) => Number(b.endsWith('/')) - Number(a.endsWith('/')) || (a < b ? -1 : 1))
    .map(
      (entry) =>
        `<li><a href="./${encodeURI(entry).replace(/[?#]/g, encodeURIComponent)}">${escapeHtml(entry)}</a></li>`,
    );
  const up = name === '/' ? '' : '<li><a href="../">../</a></li>\n';
  return document(`Index of ${name}`, `<ul>\n${up}${rows.join('\n')}\n</ul>`);
}

function defaultPage(): string {
  return document(
    'Millrace',
    '<p>This page came by way of a TCP/IP stack written in TypeScript: no kernel socket was involved on this side.</p>\n' +
      '<p><a href="/bytes/1048576">A mebibyte</a></p>',
  );
}

function document(title: string, body: string): string {
  const safe = escapeHtml(title);
  return `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>${safe}</title>\n<h1>${safe}</h1>\n${body}\n</html>\n`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
