import { TCP } from '../../posix/constants.js';
import type { CodeEvent } from '../language/ast.js';
import { ScriptError } from '../language/script-error.js';
import type { Value } from '../python/ast.js';
import { runPython } from '../python/evaluate.js';
import { parsePython } from '../python/parse.js';
import { Evaluator } from './c-values.js';
import { Mismatch } from './failure.js';
import type { Stage } from './stage.js';
import { codeSymbol } from './symbols.js';
import { infoField, isInfoField, TCP_INFO_BYTES_MAX } from './tcp-info.js';

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
          if (value === undefined) throw new ScriptError(event.place, `${name} is not in what TCP_INFO gives here`);
          return value;
        }
        return codeSymbol(name) ?? this.defined(name, event);
      },
    });
    if (failed === undefined) return;
    const { statement, values, message } = failed;
    const said = message === undefined || values.endsWith(`is ${message}`) ? '' : ` (${message})`;
    throw new Mismatch(statement.place, 'an assertion does not hold', statement.source, `${values}${said}`);
  }

  private tcpInfo(event: CodeEvent): Uint8Array {
    const socket = this.stage.connections.forCode();
    if (socket?.liveFd === undefined)
      throw new ScriptError(event.place, 'no socket of the script has a descriptor whose TCP_INFO could be asked for');
    const { calls } = this.stage.clock.world;
    const outcome = calls.getsockopt(socket.liveFd, TCP.SOL_TCP, TCP.TCP_INFO, TCP_INFO_BYTES_MAX);
    if (outcome.result !== 0 || outcome.data === undefined) {
      throw new Mismatch(event.place, 'getsockopt(TCP_INFO) fails', '0', `-1 (errno ${outcome.errno})`);
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
