import { accessSync, constants, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { prepareDefaultControlPath } from '../control-path.js';
import { type DemoOptions, demoOverLoopback, demoOverTap } from '../demo/inside.js';
import { Exit } from '../errors.js';
import { chooseNamespace, type NamespaceKind, type NoTap, spawnInNamespace } from '../namespace.js';
import { addTrafficOptions, type RawOptions, trafficSettings } from '../options.js';
import { Ending } from '../signals.js';

interface DemoCommandOptions extends RawOptions {
  readonly loopback?: boolean;
  readonly json?: boolean;
  readonly inside?: NamespaceKind;
}

const EXAMPLES = `
Examples:
  sudo millrace demo
  sudo millrace demo --fault loss=5%,delay=10ms --trace lossy.pcapng
  millrace demo --loopback --print        # needs no rights and no Linux
`;

const TRACE_NAME = 'millrace-demo.pcapng';
/** The child finishes connections and files for a second or two; after this it hangs. */
const GOODBYE_MS = 10_000;

export function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .summary("serve a page over TAP and prove it with the kernel's own ping and curl")
    .description(
      "Makes a network namespace with a TAP device, serves a page on our stack behind it, and proves it with the kernel's own " +
        'ping and curl. On a terminal it then goes on serving until Ctrl-C; otherwise it exits with 0 when the proof passed.\n' +
        'Where there can be no TAP it runs over a wire within the process, with a second stack of ours as the client.',
    )
    .option('--loopback', 'do not try TAP')
    .option('--json', 'the report as one JSON object')
    .addOption(new Option('--inside <kind>').choices(['net', 'user']).hideHelp());
  addTrafficOptions(command).addHelpText('after', EXAMPLES);
  command.action(async (raw: DemoCommandOptions) => {
    const options = demoOptions(raw);
    if (raw.inside !== undefined) {
      const noTap = await demoOverTap(raw.inside, options);
      if (noTap !== undefined) await tellParent({ noTap });
      // Nothing is left to do but to be heard: the channel alone must not keep us here.
      if (process.connected) process.disconnect();
    } else if (raw.loopback === true) {
      await demoOverLoopback('as asked', options);
    } else {
      await demoInNamespace(options);
    }
  });
}

function demoOptions(raw: DemoCommandOptions): DemoOptions {
  const traffic = trafficSettings(raw);
  const stay = process.stdin.isTTY === true && process.stdout.isTTY === true && raw.json !== true;
  return { ...traffic, trace: traffic.trace ?? defaultTrace(), json: raw.json ?? false, stay };
}

/** In the current directory, where it is found again; elsewhere only if that may not be written to. */
function defaultTrace(): string {
  try {
    accessSync(process.cwd(), constants.W_OK);
    return join(process.cwd(), TRACE_NAME);
  } catch {
    return join(mkdtempSync(join(tmpdir(), 'millrace-')), TRACE_NAME);
  }
}

async function demoInNamespace(options: DemoOptions): Promise<void> {
  const { kind, reason } = chooseNamespace();
  if (kind === undefined) return demoOverLoopback(reason, options);
  const noTap = await runInside(kind, options);
  // Its first sentence says what is wrong; the advice is for those who asked for a device.
  if (noTap !== undefined) await demoOverLoopback(`no TAP: ${noTap.split('. ')[0]}`, options);
}

/** Runs the child and takes over its exit status. Returns why there is no TAP, if so. */
async function runInside(kind: NamespaceKind, options: DemoOptions): Promise<string | undefined> {
  const ending = new Ending();
  const child = spawnInNamespace(kind, insideArguments(kind, options));
  let noTap: string | undefined;
  let reaper: NodeJS.Timeout | undefined;
  child.on('message', (message: NoTap) => {
    noTap = message.noTap;
  });
  void ending.requested.then(() => {
    // On a terminal the child has had the signal, too. Its channel's end tells it in any case.
    if (child.connected) child.disconnect();
    reaper = setTimeout(() => child.kill('SIGKILL'), GOODBYE_MS);
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code));
  });
  clearTimeout(reaper);
  ending.release();
  if (noTap === undefined) process.exitCode = status ?? Exit.FAILED;
  return noTap;
}

/** What was chosen here is told, so that it is chosen once: within a user namespace names of users and directories differ. */
function insideArguments(kind: NamespaceKind, options: DemoOptions): string[] {
  const given = process.argv.slice(process.argv.indexOf('demo') + 1);
  const chosen = [`--inside=${kind}`, `--trace=${options.trace}`];
  if (options.control === undefined) chosen.push(`--control=${prepareDefaultControlPath()}`);
  return ['demo', ...given, ...chosen];
}

function tellParent(message: NoTap): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}
