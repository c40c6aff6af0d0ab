/**
 * Node's binaries, by the ordinary npm client: its registry, proxy, certificates and cache are the user's. npm itself checks the hash, because
 * what it is given is a lock file with the hash of `versions.ts` in it.
 */
import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env as environment } from 'node:process';
import { partFolder, putInPlace, toolCache } from '../cache.js';
import type { NodeVersion } from './versions.js';

/** What stands in the way of a run, in words for the user. */
export class NodesError extends Error {}

export interface Platform {
  readonly platform: string;
  readonly arch: string;
}

export interface FetchOptions extends Platform {
  readonly cache: string;
  /** A line about what is done now. */
  readonly say: (line: string) => void;
  /** The npm client; another for tests. */
  readonly npm?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** How often somebody who waits is told that it goes on. */
const NEWS_MS = 10_000;

/** `$XDG_CACHE_HOME/millrace/nodes`. */
export function cacheFolder(env: NodeJS.ProcessEnv = environment): string {
  return toolCache('nodes', env);
}

export function packageName({ platform, arch }: Platform): string {
  return `node-${platform}-${arch}`;
}

/** Where the binary of this version is, or will be. */
export function binaryPath(cache: string, version: string, platform: Platform): string {
  return join(folderOf(cache, version, platform), 'node_modules', packageName(platform), 'bin', 'node');
}

/** The binary's path; it is fetched when the cache does not have it. Throws NodesError. */
export async function fetchNode(node: NodeVersion, options: FetchOptions): Promise<string> {
  const { cache, say } = options;
  const integrity = options.platform === 'linux' ? node.integrity[options.arch] : undefined;
  if (integrity === undefined) {
    throw new NodesError(
      `there is no npm package with Node for ${options.platform}-${options.arch} in tools/nodes/versions.ts, only for ` +
        `${Object.keys(node.integrity)
          .map((arch) => `linux-${arch}`)
          .join(' and ')}: use a virtual machine (Vagrantfile), or run npm test under the Node you have`,
    );
  }
  const binary = binaryPath(cache, node.version, options);
  if (existsSync(binary)) return binary;
  const folder = prepare(node, integrity, options);
  try {
    say(`fetching Node ${node.version} (${packageName(options)}, ${node.megabytes} MB) into ${cache}`);
    await install(node, folder, options);
    putInPlace(folder, folderOf(cache, node.version, options));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (!existsSync(binary)) throw new NodesError(`${packageName(options)}@${node.version} has no file bin/node`);
  return binary;
}

function folderOf(cache: string, version: string, platform: Platform): string {
  return join(cache, `${version}-${platform.platform}-${platform.arch}`);
}

/** A project of one dependency, with a lock file. */
function prepare(node: NodeVersion, integrity: string, options: FetchOptions): string {
  const { cache } = options;
  const name = packageName(options);
  const folder = partFolder(cache);
  if (folder === undefined) {
    throw new NodesError(`the cache ${cache} cannot be written: set XDG_CACHE_HOME to a folder of yours`);
  }
  const root = { name: 'millrace-nodes', version: '0.0.0', private: true, dependencies: { [name]: node.version } };
  const entry = { version: node.version, integrity, bin: { node: 'bin/node' } };
  const lock = {
    name: root.name,
    version: root.version,
    lockfileVersion: 3,
    requires: true,
    packages: { '': root, [`node_modules/${name}`]: entry },
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(root));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock));
  return folder;
}

async function install(node: NodeVersion, folder: string, options: FetchOptions): Promise<void> {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];
  const child = spawn(options.npm ?? 'npm', args, {
    cwd: folder,
    env: options.env ?? environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const began = Date.now();
  const news = setInterval(() => {
    options.say(`still fetching Node ${node.version}, ${Math.round((Date.now() - began) / 1000)} s`);
  }, NEWS_MS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', (error) => reject(new NodesError(`npm cannot be run (${error.message})`)));
      child.on('close', resolve);
    });
    if (status !== 0) throw new NodesError(explain(node, options, errors));
  } finally {
    clearInterval(news);
  }
}

/** npm's own words are long, and the reader has not called npm. */
export function explain(node: NodeVersion, platform: Platform, errors: string): string {
  const name = `${packageName(platform)}@${node.version}`;
  const code = /\bnpm (?:error|ERR!) code (\S+)/.exec(errors)?.[1] ?? '';
  const again = 'What is complete is kept: run it again';
  switch (code) {
    case 'EINTEGRITY':
      return `${name} is not the package that tools/nodes/versions.ts names: its hash differs. Nothing of it was kept`;
    case 'E404':
    case 'ETARGET':
    case 'ENOVERSIONS':
      return `the registry that npm is set to has no ${name} (npm config get registry)`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ECONNREFUSED':
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return `${name} cannot be fetched: no network, or no such registry (${code}; npm config get registry). ${again}`;
    case 'ETIMEDOUT':
    case 'ECONNRESET':
    case 'ERR_SOCKET_TIMEOUT':
    case 'FETCH_ERROR':
      return `${name}: the connection to the registry broke (${code}). ${again}`;
    case 'ENOSPC':
      return `${name}: no space left. An unpacked version takes about 200 MB`;
    default: {
      const words = errors.trim().split('\n').slice(0, 5).join('\n');
      return `${name} cannot be fetched: npm said\n${words === '' ? '(nothing)' : words}`;
    }
  }
}
