#!/usr/bin/env node
/**
 * Makes a fresh clone ready: system packages, npm packages, build. `npm start`, `npm test` and `npm run bench` begin with it,
 * so it runs before node_modules exists: plain JavaScript, nothing imported but Node. When all is there it only looks, and
 * takes a fraction of a second.
 *
 *   node tools/setup.mjs            what running needs
 *   node tools/setup.mjs --tests    and what the tests need
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The oldest Node with what we use of it; the same number is in package.json's `engines` and in provision.sh. */
export const NODE_MAJOR_MIN = 20;

/**
 * Programs the system has to have, the Debian package of each, and what does not work without it. The table is mirrored in
 * tools/vm/provision.sh, which installs them; test/tools/setup.test.ts holds the two together.
 */
export const SYSTEM_PROGRAMS = [
  {
    program: 'ip',
    package: 'iproute2',
    without: 'no TAP device can be set up: the demo runs over loopback, end-to-end tests are skipped',
  },
  {
    program: 'ping',
    package: 'iputils-ping',
    without: "the demo and the end-to-end tests leave out the kernel's ping",
  },
  { program: 'curl', package: 'curl', without: 'the demo and the end-to-end tests leave out curl' },
  {
    program: 'unshare',
    package: 'util-linux',
    without: 'no network namespace can be made: the demo runs over loopback, end-to-end tests are skipped',
  },
  { program: 'tshark', package: 'tshark', without: "traces are written but not checked by Wireshark's dissectors" },
  { program: 'iperf3', package: 'iperf3', without: 'the iperf3 tests and its bench are left out' },
  { program: 'sysctl', package: 'procps', without: 'the bench over TAP is left out' },
  { program: 'ssh', package: 'openssh-client', without: 'the interactive end-to-end test is left out' },
];

/** @typedef {{ version?: string, integrity?: string, link?: boolean, optional?: boolean, devOptional?: boolean }} LockEntry */
/** @typedef {Record<string, LockEntry>} LockPackages */

/**
 * What the lock file asks for and node_modules does not have, by comparing the lock file with the one npm leaves inside
 * node_modules. Contents, not dates: a copied tree has any dates. An optional package may be absent (it is for another
 * platform), but never of another version.
 *
 * @param {LockPackages} wanted
 * @param {LockPackages} installed
 * @returns {string[]}
 */
export function packagesOutOfDate(wanted, installed) {
  const found = [];
  for (const [path, want] of Object.entries(wanted)) {
    if (path === '') continue;
    const have = installed[path];
    if (have === undefined) {
      if (!want.optional && !want.devOptional) found.push(path);
    } else if (have.version !== want.version || have.integrity !== want.integrity) {
      found.push(path);
    }
  }
  return found;
}

/**
 * Programs of the table that are not on the path.
 *
 * @param {string} path as in $PATH
 */
export function programsMissing(path) {
  // Debian keeps `ip` in /sbin for some releases, which is not on an ordinary user's path.
  const folders = [...path.split(delimiter), '/usr/sbin', '/sbin'];
  return SYSTEM_PROGRAMS.filter(({ program }) => !folders.some((folder) => executable(join(folder, program))));
}

/**
 * Is this system one that provision.sh knows: Debian, Ubuntu and what derives from them?
 *
 * @param {string} osRelease contents of /etc/os-release
 */
export function isDebianLike(osRelease) {
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].flatMap((match) =>
    match[1].replaceAll('"', '').split(/\s+/),
  );
  return ids.includes('debian') || ids.includes('ubuntu');
}

/**
 * Compiled modules whose source is gone. `tsc -b` never removes what it once wrote, and a test of a deleted file would go
 * on running.
 *
 * @param {string} root
 * @returns {string[]} paths under dist, without extension
 */
export function orphans(root) {
  const dist = join(root, 'dist');
  const found = [];
  for (const layer of ['stack', 'drivers', 'src', 'tools', 'test']) {
    for (const file of filesUnder(join(dist, layer))) {
      const match = /^(.*)\.(m?)js$/.exec(file);
      if (match === null) continue;
      const source = join(root, relative(dist, match[1]));
      if (!existsSync(`${source}.ts`) && !existsSync(`${source}.${match[2]}js`)) found.push(match[1]);
    }
  }
  return found;
}

/** @param {string} folder @returns {string[]} */
function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

/** @param {string} path */
function executable(path) {
  return can(path, constants.X_OK) && statSync(path).isFile();
}

/** @param {string} path @param {number} mode */
function can(path, mode) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} path @returns {LockPackages} */
function lockPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}

const colour = process.stderr.isTTY === true && process.env.NO_COLOR === undefined;

/** Progress goes to standard error: standard output belongs to the program that follows. @param {string} text */
function say(text) {
  process.stderr.write(colour ? `\x1b[36msetup\x1b[0m ${text}\n` : `setup: ${text}\n`);
}

/** @param {string} text @returns {never} */
function fail(text) {
  process.stderr.write(colour ? `\x1b[31msetup\x1b[0m ${text}\n` : `setup: ${text}\n`);
  process.exit(2);
}

/**
 * @param {string} root
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean} did it succeed?
 */
function run(root, command, args, env = process.env) {
  // Its output goes where our progress goes. No standard input: nothing here may ask a question.
  const result = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  return result.status === 0;
}

/** Installs what the system lacks where we can, and says what is missing where we cannot. @param {string} root */
function systemPrograms(root) {
  let missing = programsMissing(process.env.PATH ?? '');
  if (missing.length === 0) return;
  const canInstall =
    process.getuid?.() === 0 && existsSync('/etc/os-release') && isDebianLike(readFileSync('/etc/os-release', 'utf8'));
  if (canInstall) {
    say(`installing system packages: ${missing.map((entry) => entry.package).join(' ')} (once, about a minute)`);
    if (!run(root, 'bash', [join('tools', 'vm', 'provision.sh')]))
      say('the system packages could not all be installed');
    missing = programsMissing(process.env.PATH ?? '');
  }
  for (const entry of missing) say(`${entry.program} is missing (package ${entry.package}): ${entry.without}`);
  if (missing.length > 0 && !canInstall) {
    say(
      process.platform === 'linux'
        ? 'to install them on Debian or Ubuntu: sudo bash tools/vm/provision.sh'
        : 'the TAP driver needs Linux: see Vagrantfile for a virtual machine with everything in it',
    );
  }
}

/** @param {string} root */
function npmPackages(root) {
  const stale = () =>
    packagesOutOfDate(
      lockPackages(join(root, 'package-lock.json')),
      lockPackages(join(root, 'node_modules', '.package-lock.json')),
    );
  const wanted = stale();
  if (wanted.length === 0) return;
  const where = existsSync(join(root, 'node_modules')) ? join(root, 'node_modules') : root;
  if (!can(where, constants.W_OK)) {
    fail(
      `npm packages are missing (${wanted.length}) and ${where} cannot be written by this user: copy the clone, or run as its owner`,
    );
  }
  say(`installing ${wanted.length} npm packages (about 10 s)`);
  const env = { ...process.env };
  // `su` and `sudo` may leave HOME at a folder of somebody else's, and npm insists on its cache there.
  if (!can(homedir(), constants.W_OK))
    env.npm_config_cache = join(tmpdir(), `millrace-npm-cache-${process.getuid?.() ?? 'user'}`);
  // Of all packages only koffi has an install script, and it only looks for the prebuilt binary that npm has just put there.
  // The compiler is a development dependency, wanted even where the environment says production.
  const args = [
    'ci',
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  if (!run(root, 'npm', args, env))
    fail(
      'npm ci failed, see above. Nothing here runs without its packages; check the network and the registry npm is set to',
    );
  const left = stale();
  if (left.length > 0) fail(`npm ci left out ${left.length} packages, ${left[0]} among them`);
}

/** The build, and the test runner's own. @param {string} root @param {boolean} tests */
function build(root, tests) {
  const dist = join(root, 'dist');
  const where = existsSync(dist) ? dist : root;
  const built = existsSync(join(dist, 'src', 'cli', 'main.js'));
  if (!can(where, constants.W_OK)) {
    // Somebody else's clone: good enough to run as it stands.
    if (built && !tests) return;
    fail(`${where} cannot be written by this user: copy the clone, or run as its owner`);
  }
  if (!built) say('building (about 10 s)');
  // tsc -b finds out by itself what is stale, in 0.2 s when nothing is.
  if (!run(root, process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-b']))
    fail('the build failed, see above');
  for (const path of orphans(root)) {
    for (const extension of ['.js', '.js.map', '.d.ts', '.d.ts.map', '.mjs', '.mjs.map', '.d.mts', '.d.mts.map']) {
      rmSync(path + extension, { force: true });
    }
  }
  // tap generates its `t` from the plugins .taprc names, half of it into its own package, where `npm ci` wipes it.
  const generated = [join(root, '.tap', 'plugins'), join(root, 'node_modules', '@tapjs', 'test', 'test-built')];
  if (tests && !generated.every((path) => existsSync(path))) {
    say('preparing the test runner (about 5 s)');
    if (!run(root, process.execPath, [join('node_modules', 'tap', 'dist', 'esm', 'run.mjs'), 'build'])) {
      fail('the test runner could not be prepared, see above');
    }
  }
}

/** The prebuilt half of koffi is a package of its own for each platform. @param {string} root */
function nativeCalls(root) {
  const binary = `koffi-${process.platform}-${process.arch}`;
  if (!existsSync(join(root, 'node_modules', '@koromix', binary))) {
    say(`koffi has no binary for this platform (${binary}): no TAP device; everything over loopback works`);
  }
}

/** @param {string} root @param {string[]} args */
export function main(root, args) {
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
    fail(`Node ${process.versions.node} is too old: Millrace needs Node ${NODE_MAJOR_MIN} or newer`);
  }
  systemPrograms(root);
  npmPackages(root);
  nativeCalls(root);
  build(root, args.includes('--tests'));
}

// The real path: a clone may be reached through a link.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(dirname(dirname(fileURLToPath(import.meta.url))), process.argv.slice(2));
}
