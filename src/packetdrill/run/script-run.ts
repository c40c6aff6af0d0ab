import { dirname } from 'node:path';
import { TcpFlag } from '../../../stack/wire/tcp.js';
import type { World } from '../../posix/world.js';
import type { Event, PacketEvent, Script } from '../language/ast.js';
import type { Place } from '../language/script-error.js';
import { buildTcp } from '../wire/build.js';
import { Evaluator } from './c-values.js';
import { BOUNDS, type Bounds, Clockwork } from './clockwork.js';
import { CodeBlocks } from './code.js';
import { Commands } from './commands.js';
import { Connections } from './connections.js';
import { Mismatch } from './failure.js';
import { inject, toStack } from './inbound.js';
import { expectPacket, findLeftOver, IGNORED } from './outbound.js';
import type { Settings } from './settings.js';
import type { Stage } from './stage.js';
import { SystemCalls } from './system-calls.js';
import { type Due, secondsText, Timing } from './timing.js';
import { PacketTrace } from './trace.js';

export interface RunHooks {
  /** Of everything that happens, a line. */
  readonly tell?: (line: string) => void;
  readonly note?: (text: string) => void;
  readonly bounds?: Bounds;
}

/** One script against one world, from its first event to its last. */
export class ScriptRun {
  private readonly stage: Stage;
  private readonly calls: SystemCalls;
  private readonly code: CodeBlocks;
  private readonly commands: Commands;
  /** The event that happens, for an error that names no place. */
  at: Event | undefined;
  /** How many of the packets nobody has looked at had been sent at the script's last word about packets. */
  private described = 0;

  constructor(script: Script, settings: Settings, world: World, hooks: RunHooks = {}) {
    const clock = new Clockwork(world, hooks.bounds ?? BOUNDS);
    const connections = new Connections();
    const trace = new PacketTrace(connections);
    const note = hooks.note ?? (() => {});
    const tell = hooks.tell ?? (() => {});
    this.stage = {
      script,
      settings,
      clock,
      connections,
      trace,
      epolls: new Map(),
      files: new Map(),
      moved: { bytes: 0 },
      note,
      tell,
      timing: new Timing(settings),
      evaluator: new Evaluator(settings.definitions),
    };
    clock.onSent = (seen) => {
      trace.sent(seen);
      tell(trace.lastLine);
    };
    this.calls = new SystemCalls(this.stage);
    this.code = new CodeBlocks(this.stage);
    const sleep = (us: number, place: Place) => clock.advanceTo(clock.nowUs + us, place);
    this.commands = new Commands({ world, mtu: settings.mtu, note, sleep }, dirname(script.file));
  }

  /** Throws a Mismatch where the stack does otherwise, a ScriptError where the script is wrong, Unsupported where it asks for too much. */
  run(): void {
    const { script, settings, clock } = this.stage;
    const start = { file: script.file, line: 1, column: 1 };
    for (const path of settings.initScripts) this.commands.include(path, start);
    for (const event of script.events) {
      this.at = event;
      this.runEvent(event);
    }
    const last = script.events.at(-1);
    this.calls.finishWaiting();
    const endUs = clock.nowUs;
    const left = settings.asPacketdrill
      ? undefined
      : findLeftOver(this.stage, last?.kind === 'packet' ? this.described : 0, endUs);
    if (left !== undefined) {
      const seen = `${secondsText(left.timeUs)} > ${this.stage.trace.sentText(left)}`;
      const says = `a packet the script does not expect; ${IGNORED}`;
      throw new Mismatch(last?.place ?? start, says, 'nothing more', seen);
    }
    this.resetAll();
  }

  /** The last packets both ways. */
  get packets(): string[] {
    return this.stage.trace.lines();
  }

  private runEvent(event: Event): void {
    const { clock, timing } = this.stage;
    const due = timing.due(event, clock.nowUs);
    if (event.kind === 'packet' && event.direction === 'outbound') {
      const seenUs = this.tolerating('packet', event, due, () => expectPacket(this.stage, event, due));
      this.described = clock.unseenCount;
      timing.passed(due, seenUs);
      this.calls.look();
      return;
    }
    clock.advanceTo(due.fromUs, event.place);
    this.calls.look();
    timing.check(event, WHAT[event.kind], due, clock.nowUs);
    this.happen(event, due);
    timing.passed(due, clock.nowUs);
    this.calls.look();
  }

  /** Of what `--non_fatal` names, a difference is noted and no more. Returns what `judge` does, or when the event was due. */
  private tolerating(kind: string, event: Event, due: Due, judge: () => number): number {
    try {
      return judge();
    } catch (error) {
      if (!(error instanceof Mismatch) || !this.stage.settings.nonFatal.has(kind)) throw error;
      const { message, expected, seen } = error;
      const both = expected === undefined ? '' : `: expected ${expected}, seen ${seen}`;
      this.stage.note(`line ${event.place.line}: ${message}${both}`);
      return Math.max(due.fromUs, this.stage.clock.nowUs);
    }
  }

  private happen(event: Event, due: Due): void {
    switch (event.kind) {
      case 'packet':
        this.inject(event);
        return;
      case 'call':
        this.tolerating('syscall', event, due, () => {
          this.calls.run(event, due);
          return 0;
        });
        return;
      case 'command':
        this.commands.run(event.text, event.place);
        return;
      case 'code':
        this.code.run(event);
    }
  }

  private inject(event: PacketEvent): void {
    this.stage.clock.collect(event.place);
    this.described = this.stage.clock.unseenCount;
    inject(this.stage, event);
  }

  /** What packetdrill does to each connection in the end, so that a kernel forgets it; a stack that falls over it has a fault, too. */
  private resetAll(): void {
    const { connections, clock, script } = this.stage;
    for (const socket of connections.all) {
      const { lastInjected, lastSeen } = socket;
      const base = lastInjected ?? lastSeen;
      if (socket.protocol !== 'tcp' || base === undefined) continue;
      const syn = (base.flags & TcpFlag.SYN) !== 0 ? 1 : 0;
      const fin = (base.flags & TcpFlag.FIN) !== 0 ? 1 : 0;
      const behind = (base.range.end + syn + fin) >>> 0;
      const seq = lastInjected === undefined ? (base.ack ?? 0) : behind;
      const reset = socket.toWire({
        protocol: 'tcp',
        marks: {},
        ports: undefined,
        flags: TcpFlag.RST | TcpFlag.ACK,
        range: { start: seq, end: seq, length: 0 },
        ack: lastInjected === undefined ? behind : (base.ack ?? 0),
        window: base.window ?? 0,
        urgent: undefined,
        options: [],
      });
      clock.deliver(buildTcp(reset, toStack(socket)), { file: script.file, line: 1, column: 1 });
    }
  }
}

const WHAT = { packet: 'the packet', call: 'the system call', command: 'the command', code: 'the code block' } as const;
