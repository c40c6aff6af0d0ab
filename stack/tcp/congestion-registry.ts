import { StackError } from '../base/errors.js';
import { CC_WORDS, type CongestionControl } from './congestion.js';
import { CUBIC } from './cubic.js';
import { DCTCP } from './dctcp.js';
import { RENO } from './reno.js';

/**
 * Control path. The congestion controls a stack knows, by name and by the small number a connection's cold row holds. Zero is the
 * stack's default (RFC 9293 §3.8.2 leaves the choice to us), so that a connection which chose nothing need not keep a cold row to say so.
 */

/** Linux's TCP_CA_NAME_MAX is 16 with the final zero. */
const NAME_CHARACTERS_MAX = 15;
/** Sixty-four modules: nobody has more, and a program that registers one for each connection is told so. */
const CONTROLS_MAX = 64;

const REQUIRED = ['onAck', 'onLoss', 'onTimeout', 'onRecovered'] as const;
const OPTIONAL = ['init', 'onEcn', 'onUndo', 'onSample', 'onDelivered', 'onRestart', 'rests'] as const;

export class CongestionRegistry {
  /** By number; the first is the default, and stands again under its own number. */
  readonly controls: CongestionControl[] = [CUBIC, RENO, CUBIC, DCTCP];

  /** Throws as `register` and `choose` do. */
  constructor(standard: string, module?: CongestionControl) {
    if (module !== undefined) this.register(module);
    const name = module?.name ?? standard;
    this.controls[0] = this.controls[this.numberOf(name)] as CongestionControl;
  }

  /** What connections have that choose none. */
  get standard(): CongestionControl {
    return this.controls[0] as CongestionControl;
  }

  get names(): readonly string[] {
    return this.controls.slice(1).map((control) => control.name);
  }

  /** Adds a module. Throws ERR_INVALID_ARG_TYPE for what is none, EEXIST where the name is taken, ENOBUFS when there are too many. */
  register(module: CongestionControl): void {
    checkModule(module);
    if (this.find(module.name) >= 0) {
      throw new StackError(
        'EEXIST',
        `a congestion control is called "${module.name}" already; give this one another name`,
      );
    }
    if (this.controls.length > CONTROLS_MAX) {
      throw new StackError(
        'ENOBUFS',
        `${CONTROLS_MAX} congestion controls are registered; one module serves all connections`,
      );
    }
    this.controls.push(module);
  }

  /** The number of a name; -1 when nothing is called that. */
  find(name: string): number {
    for (let i = 1; i < this.controls.length; i++) if (this.controls[i]?.name === name) return i;
    return -1;
  }

  /** The number of a name. Throws ENOENT, as setsockopt of TCP_CONGESTION does. */
  numberOf(name: string): number {
    const number = this.find(name);
    if (number < 0) {
      throw new StackError('ENOENT', `no congestion control is called "${name}"; there are ${this.names.join(', ')}`);
    }
    return number;
  }
}

function checkModule(module: unknown): asserts module is CongestionControl {
  if (typeof module !== 'object' || module === null) {
    throw new StackError('ERR_INVALID_ARG_TYPE', 'a congestion control is an object with a name and four methods');
  }
  const it = module as Readonly<Record<string, unknown>>;
  const { name } = it;
  if (typeof name !== 'string' || !/^[\x21-\x7e]+$/.test(name) || name.length > NAME_CHARACTERS_MAX) {
    throw new StackError(
      'ERR_INVALID_ARG_VALUE',
      `the name of a congestion control is 1 to ${NAME_CHARACTERS_MAX} visible ASCII characters; this one is ${JSON.stringify(name)}`,
    );
  }
  for (const method of REQUIRED) {
    if (typeof it[method] !== 'function') {
      throw new StackError('ERR_INVALID_ARG_TYPE', `congestion control "${name}" has no method ${method}`);
    }
  }
  for (const method of OPTIONAL) {
    if (it[method] !== undefined && typeof it[method] !== 'function') {
      throw new StackError('ERR_INVALID_ARG_TYPE', `congestion control "${name}": ${method} is not a function`);
    }
  }
  const { keeps } = it;
  if (keeps !== undefined && !(Number.isInteger(keeps) && (keeps as number) >= 0 && (keeps as number) < CC_WORDS)) {
    throw new StackError(
      'ERR_INVALID_ARG_VALUE',
      `congestion control "${name}": keeps is one of the private words, 0 to ${CC_WORDS - 1}`,
    );
  }
}
