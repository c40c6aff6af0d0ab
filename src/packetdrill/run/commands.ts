import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { World } from '../../posix/world.js';
import { type Place, ScriptError, Unsupported } from '../language/script-error.js';
import { DEFAULTS } from './defaults.js';
import { mtuOf } from './device-mtu.js';
import { shellCommands, type Words } from './shell-lines.js';

/** A file of settings is a page; a larger one is something else. */
const INCLUDED_BYTES_MAX = 1 << 18;
const INCLUDED_DEEP_MAX = 4;
/** Files that include others, each many times, would multiply. */
const COMMANDS_MAX = 100_000;

/** Commands that change nothing a stack of our own would notice, or only look. */
const WITHOUT_EFFECT =
  /^(?:tc|nstat|ss|netstat|grep|egrep|cat|tcpdump|ethtool|ulimit|true|:|set|source|\.|modprobe|dmesg|date|echo|printf|test|\[|awk|sed|head|tail|rm|mkdir|touch|chmod|export|uname|which|sync|dd|if|then|else|fi|exit|wait)$/;
/** Those that would change what travels, so that a script which uses one cannot be judged without. */
const NEEDED = /^(?:iptables|ip6tables|nft|nc|netcat|socat|iperf3?|ncdevmem|bpftool|unshare|insmod|taskset)$/;

/** Queues and filters that lose packets or hold them up. */
const SPOILING = /\b(?:netem|tbf|police|limit 0|blackhole|action drop|gact drop)\b/;

/** What a script's commands may do. */
export interface CommandHost {
  readonly world: World;
  /** Of the device. */
  readonly mtu: number;
  /** Time passes, as `sleep` has it. */
  sleep(us: number, place: Place): void;
  /** Something was not done; said with the outcome. */
  note(text: string): void;
}

/**
 * Shell lines, understood as far as they are settings: `sysctl`, writes to `/proc/sys`, `set_sysctls.py` and the `defaults.sh` that
 * suites share. No process is ever started. What else there is is noted as ignored, or the script is given up when it would depend on it.
 */
export class Commands {
  /** What set_sysctls.py found, for the script it leaves behind. */
  private readonly saved = new Map<string, string>();
  private count = 0;

  constructor(
    private readonly host: CommandHost,
    private readonly folder: string,
  ) {}

  run(text: string, place: Place, folder = this.folder, deep = 0): void {
    for (const words of shellCommands(text)) {
      this.count += 1;
      if (this.count > COMMANDS_MAX) throw new ScriptError(place, `more than ${COMMANDS_MAX} commands`);
      this.command(words, place, folder, deep);
    }
  }

  /** A script that others begin with: read when it is there, known by its name when it is not. */
  include(path: string, place: Place, folder = this.folder, deep = 0): void {
    if (deep > INCLUDED_DEEP_MAX) throw new ScriptError(place, `${path}: scripts that include each other without end`);
    const file = resolve(folder, path);
    const size = existsSync(file) ? (statSync(file).isFile() ? statSync(file).size : -1) : -1;
    if (size >= 0 && size <= INCLUDED_BYTES_MAX) {
      this.run(readFileSync(file, 'utf8'), place, dirname(file), deep + 1);
    } else if (basename(path) === 'defaults.sh') {
      for (const [name, value] of DEFAULTS) this.set(name, value, place);
    } else {
      this.host.note(`line ${place.line}: ${path} is not there: ignored`);
    }
  }

  private command(words: Words, place: Place, folder: string, deep: number): void {
    const [name] = words;
    const program = basename(name);
    const args = words.slice(1);
    const assigned = words.indexOf('>');
    if (assigned !== -1) {
      this.set(
        settingName(words[assigned + 1]),
        words
          .slice(1, assigned)
          .filter((word) => !word.startsWith('-'))
          .join(' '),
        place,
      );
    } else if (program === 'sysctl') {
      this.sysctl(args, place);
    } else if (program === 'set_sysctls.py') {
      for (const arg of args) this.save(arg, place);
    } else if (/^sysctl_restore_/.test(program)) {
      for (const [setting, value] of this.saved) this.set(setting, value, place);
    } else if (/\.(?:sh|pkt)$/.test(program)) {
      this.include(name, place, folder, deep);
    } else if (program === 'sleep' || program === 'usleep') {
      this.sleep(args[0], program === 'sleep' ? 1e6 : 1, place);
    } else if (program === 'ip') {
      this.ip(args, place);
    } else if (program === 'ifconfig') {
      this.device(words, args, place);
    } else if (NEEDED.test(program)) {
      throw new Unsupported(place, `the command ${program}`);
    } else if (program === 'tc' && SPOILING.test(args.join(' '))) {
      throw new Unsupported(place, `the command ${words.join(' ')}`);
    } else if (!WITHOUT_EFFECT.test(program)) {
      this.ignored(words, place);
    } else if (program === 'tc') {
      this.queueing(args, place);
    }
  }

  private sysctl(args: Words, place: Place): void {
    for (const arg of args) {
      if (arg.startsWith('-')) continue;
      const at = arg.indexOf('=');
      if (at === -1) {
        // `sysctl NAME` looks; `sysctl NAME = VALUE` does not come from anyone.
        continue;
      }
      this.set(settingName(arg.slice(0, at)), arg.slice(at + 1), place);
    }
  }

  private save(arg: string, place: Place): void {
    const at = arg.indexOf('=');
    if (at === -1) throw new ScriptError(place, `set_sysctls.py needs FILE=VALUE, not "${arg}"`);
    const name = settingName(arg.slice(0, at));
    try {
      if (!this.saved.has(name)) this.saved.set(name, this.host.world.getSysctl(name));
    } catch {
      // One we do not know: setting it is noted below.
    }
    this.set(name, arg.slice(at + 1), place);
  }

  private set(name: string, value: string, place: Place): void {
    try {
      this.host.world.setSysctl(name, value.trim());
    } catch (error) {
      this.host.note(`line ${place.line}: ${name}=${value} ignored: ${(error as Error).message}`);
    }
  }

  private sleep(argument: string | undefined, unit: number, place: Place): void {
    const value = Number(argument);
    if (!(value >= 0 && value <= 86_400e6)) throw new ScriptError(place, `sleep ${argument ?? ''}: not a time`);
    this.host.sleep(Math.round(value * unit), place);
  }

  /** `ip route change … initcwnd 20`: metrics of the one route there is. Those we have no setting for decide what the script is about. */
  private ip(args: Words, place: Place): void {
    const route = args.indexOf('route');
    const changes = args.some((arg) => /^(?:change|replace|add|append|chg|cha|repl)$/.test(arg));
    let known = false;
    if (route !== -1 && changes) {
      for (let i = route; i < args.length - 1; i++) {
        if (!METRICS.has(args[i])) continue;
        known = true;
        if (args[i] === 'mtu' && mtuOf(['ip', ...args]) === this.host.mtu) continue;
        this.metric(args[i], args[i + 1] === 'lock' ? (args[i + 2] ?? '') : args[i + 1], place);
      }
    }
    if (route !== -1 && args.some((arg) => REFUSING.test(arg)))
      throw new Unsupported(place, `the command ip ${args.join(' ')}`);
    if (args.includes('link')) this.device(['ip', ...args], args, place);
    else if (!known) this.ignored(['ip', ...args], place);
  }

  /** What is done to the device: its MTU is taken from the head of a script, where nothing uses it yet. */
  private device(words: Words, args: Words, place: Place): void {
    if (args.includes('down')) throw new Unsupported(place, 'a device that goes down');
    if (!args.includes('mtu')) this.ignored(words, place);
    else if (mtuOf(words) !== this.host.mtu) throw new Unsupported(place, 'a device whose MTU changes');
  }

  private metric(name: string, value: string, place: Place): void {
    switch (name) {
      case 'initcwnd':
        this.set('route.initcwnd', value, place);
        return;
      case 'congctl':
        this.set('net.ipv4.tcp_congestion_control', value, place);
        return;
      case 'rto_min':
        this.set('net.ipv4.tcp_rto_min_us', String(milliseconds(value) * 1000), place);
        return;
      case 'reordering':
        this.set('net.ipv4.tcp_reordering', value, place);
        return;
      case 'features':
        if (value === 'ecn') this.set('net.ipv4.tcp_ecn', '1', place);
        return;
      default:
        throw new Unsupported(place, `the metric ${name} of a route`);
    }
  }

  /** `tc qdisc replace dev tun0 root fq`: of queueing disciplines only whether one paces is seen. */
  private queueing(args: Words, place: Place): void {
    const root = args.indexOf('root');
    const discipline = root === -1 ? undefined : args[root + 1];
    if (discipline === undefined || args.includes('del')) this.ignored(['tc', ...args], place);
    else this.set('net.core.default_qdisc', discipline, place);
  }

  private ignored(words: Words, place: Place): void {
    if (words[0] === 'ip' && words[1] === 'tcp_metrics') return;
    this.host.note(`line ${place.line}: "${words.join(' ')}" ignored`);
  }
}

/** Routes that lead nowhere. */
const REFUSING = /^(?:blackhole|unreachable|prohibit|throw)$/;

const METRICS = new Set(
  'initcwnd initrwnd rto_min mtu advmss features congctl cwnd ssthresh rtt rttvar quickack window reordering'.split(
    ' ',
  ),
);

/** iproute2's times: `200ms`, `1s`, and plain milliseconds. */
function milliseconds(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text) ?? [];
  return digits === undefined ? Number.NaN : Number(digits) * (unit === 's' ? 1000 : 1);
}

/** `/proc/sys/net/ipv4/tcp_sack`, `net/ipv4/tcp_sack` and `net.ipv4.tcp_sack` are one. */
function settingName(text: string): string {
  return text
    .trim()
    .replace(/^\/proc\/sys\//, '')
    .replace(/\//g, '.');
}
