import { SO, TCP } from '../../posix/constants.js';
import type { CodeEvent } from '../language/ast.js';
import { ScriptError, Unsupported } from '../language/script-error.js';
import type { Value } from '../python/ast.js';
import { runPython } from '../python/evaluate.js';
import { parsePython } from '../python/parse.js';
import { Evaluator } from './c-values.js';
import { Mismatch } from './failure.js';
import type { Stage } from './stage.js';
import { MEMINFO, symbolValue } from './symbols.js';
import { infoField, isForeignInfo, isInfoField, TCP_INFO_BYTES_MAX } from './tcp-info.js';

/** The `%{ … %}` blocks of a script. Their variables live from one to the next; TCP_INFO is asked for where a block names a field. */
export class CodeBlocks {
  private readonly variables = new Map<string, Value>();

  constructor(private readonly stage: Stage) {}

  run(event: CodeEvent): void {
    const { stage } = this;
    let info: Uint8Array | undefined;
    const failed = runPython(parsePython(event.text, event.textPlace), {
      variables: this.variables,
      print: (line) => stage.note(`line ${event.place.line}: ${line}`),
      lookup: (name) => {
        if (isInfoField(name)) {
          info ??= this.tcpInfo(event);
          const value = infoField(info, name);
          if (value === undefined) throw new Unsupported(event.place, `${name}, which TCP_INFO does not give here`);
          return value;
        }
        const memory = MEMINFO.indexOf(name);
        if (memory !== -1) return this.memory(memory, event);
        if (isForeignInfo(name)) throw new Unsupported(event.place, name);
        return symbolValue(name) ?? this.defined(name, event);
      },
    });
    if (failed === undefined) return;
    const { statement, values, message } = failed;
    const said = message === undefined || values.endsWith(`is ${message}`) ? '' : ` (${message})`;
    throw new Mismatch(statement.place, 'an assertion does not hold', statement.source, `${values}${said}`);
  }

  private tcpInfo(event: CodeEvent): Uint8Array {
    return this.asked(event, 'TCP_INFO', TCP.SOL_TCP, TCP.TCP_INFO, TCP_INFO_BYTES_MAX);
  }

  /** One of the numbers of SO_MEMINFO. */
  private memory(i: number, event: CodeEvent): number {
    const data = this.asked(event, 'SO_MEMINFO', SO.SOL_SOCKET, SO.SO_MEMINFO, MEMINFO.length * 4);
    return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(i * 4, true);
  }

  private asked(event: CodeEvent, name: string, level: number, option: number, capacity: number): Uint8Array {
    const socket = this.stage.connections.forCode();
    if (socket?.liveFd === undefined)
      throw new ScriptError(event.place, `no socket of the script has a descriptor whose ${name} could be asked for`);
    const outcome = this.stage.clock.world.calls.getsockopt(socket.liveFd, level, option, capacity);
    if (outcome.result !== 0 || outcome.data === undefined) {
      throw new Mismatch(event.place, `getsockopt(${name}) fails`, '0', `-1 (errno ${outcome.errno})`);
    }
    return outcome.data;
  }

  /** What -D defined may be named in code, too. */
  private defined(name: string, event: CodeEvent): Value | undefined {
    const { definitions } = this.stage.settings;
    if (!definitions.has(name)) return undefined;
    const value = new Evaluator(definitions).value({ kind: 'name', place: event.place, name });
    return value.kind === 'number' || value.kind === 'string' ? value.value : undefined;
  }
}
