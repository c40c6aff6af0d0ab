import type { Expression } from '../language/ast.js';
import { Cursor } from '../language/cursor.js';
import { parseExpression } from '../language/parse-expression.js';
import { type Place, ScriptError, Unsupported } from '../language/script-error.js';
import { symbolValue } from './symbols.js';

/** What an argument comes to. Places stay with it, for complaints about what a call makes of it. */
export type CValue =
  | { readonly kind: 'any'; readonly place: Place }
  | { readonly kind: 'number'; readonly place: Place; readonly value: number }
  | { readonly kind: 'string'; readonly place: Place; readonly value: string }
  | { readonly kind: 'list'; readonly place: Place; readonly items: readonly CValue[] }
  | CStruct;

export interface CStruct {
  readonly kind: 'struct';
  readonly place: Place;
  readonly fields: ReadonlyMap<string, CValue>;
  /** Those without a name, in order. */
  readonly bare: readonly CValue[];
}

/** Names that other systems' suites use, of which there is nothing here. */
const FOREIGN = new Set(
  `TCP_FUNCTION_BLK TCP_FUNCTION_ALIAS TCP_NOPUSH TCP_NOOPT TCP_LOG TCP_LOGBUF TCP_LOGID TCP_PCAP_OUT TCP_PCAP_IN TCP_DELACK TCP_FIN_IS_RST
   TCP_KEEPINIT TCP_IWND TCP_IWSEG TCP_MAXUNACKTIME TCP_REMOTE_UDP_ENCAPS_PORT TCP_RACK_TLP_REDUCE TCP_CCALGOOPT SO_USELOOPBACK
   SO_LISTENQLIMIT SO_NOSIGPIPE SO_SETFIB SO_USER_COOKIE IPPROTO_SCTP IPPROTO_UDPLITE IPPROTO_MPTCP SOL_MPTCP AF_UNIX SOCK_SEQPACKET
   TCP_AO_ADD_KEY TCP_AO_DEL_KEY TCP_AO_INFO CAP_NET_ADMIN CAP_NET_RAW`.split(/\s+/),
);

/** A definition may name another; one that comes back to itself ends here. */
const DEFINITIONS_DEEP_MAX = 16;

export class Evaluator {
  constructor(private readonly definitions: ReadonlyMap<string, string>) {}

  value(expression: Expression, deep = 0): CValue {
    const { place } = expression;
    switch (expression.kind) {
      case 'ellipsis':
        return { kind: 'any', place };
      case 'integer':
        return { kind: 'number', place, value: expression.value };
      case 'string':
        return { kind: 'string', place, value: expression.value };
      case 'name':
        return this.named(expression.name, place, deep);
      case 'unary': {
        const operand = this.number(expression.operand, deep);
        return { kind: 'number', place, value: expression.operator === '-' ? -operand : ~operand >>> 0 };
      }
      case 'binary': {
        const left = this.number(expression.left, deep);
        return {
          kind: 'number',
          place,
          value: combine(expression.operator, left, this.number(expression.right, deep), place),
        };
      }
      case 'apply':
        return this.applied(expression, deep);
      case 'list':
        return { kind: 'list', place, items: expression.items.map((item) => this.value(item, deep)) };
      case 'struct': {
        const fields = new Map<string, CValue>();
        for (const field of expression.fields)
          if (field.name !== '') fields.set(field.name, this.value(field.value, deep));
        const bare = expression.fields
          .filter((field) => field.name === '')
          .map((field) => this.value(field.value, deep));
        return { kind: 'struct', place, fields, bare };
      }
    }
  }

  number(expression: Expression, deep = 0): number {
    return numberOf(this.value(expression, deep), 'a number');
  }

  private named(name: string, place: Place, deep: number): CValue {
    const text = this.definitions.get(name);
    if (text !== undefined) {
      if (deep >= DEFINITIONS_DEEP_MAX) throw new ScriptError(place, `the definition of ${name} leads back to itself`);
      const cursor = new Cursor(`-D ${name}`, text);
      const value = this.value(parseExpression(cursor), deep + 1);
      if (!cursor.ended) cursor.fail('the end of the definition');
      return { ...value, place };
    }
    if (name === 'NULL') return { kind: 'number', place, value: 0 };
    const value = symbolValue(name);
    if (value === undefined && FOREIGN.has(name)) throw new Unsupported(place, name);
    if (value === undefined) throw new ScriptError(place, `"${name}" is not a name known here, nor defined with -D`);
    return { kind: 'number', place, value };
  }

  /** Ports stay in the host's order and addresses text: whoever puts them into a header or a call turns them. */
  private applied(expression: Extract<Expression, { kind: 'apply' }>, deep: number): CValue {
    const { name, args, place } = expression;
    const last = args.at(-1);
    switch (name) {
      case 'htons':
      case 'htonl':
      case 'ntohs':
      case 'ntohl':
      case 'inet_addr':
      case 'inet_pton':
        if (last === undefined) throw new ScriptError(place, `${name}() needs an argument`);
        return this.value(last, deep);
      case 'sizeof':
        return { kind: 'number', place, value: 4 };
      default:
        throw new ScriptError(place, `"${name}" is no function known here`);
    }
  }
}

function combine(operator: string, left: number, right: number, place: Place): number {
  switch (operator) {
    case '|':
      return Number(BigInt(left) | BigInt(right));
    case '^':
      return Number(BigInt(left) ^ BigInt(right));
    case '&':
      return Number(BigInt(left) & BigInt(right));
    case '<<':
    case '>>':
      if (right < 0 || right > 63) throw new ScriptError(place, `a shift by ${right}`);
      return operator === '<<' ? left * 2 ** right : Math.floor(left / 2 ** right);
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    default:
      if (right === 0) throw new ScriptError(place, 'division by zero');
      return operator === '/' ? Math.trunc(left / right) : left % right;
  }
}

export function numberOf(value: CValue | undefined, what: string): number {
  if (value?.kind === 'number') return value.value;
  // `[4]`: the int that a pointer points to.
  if (value?.kind === 'list' && value.items.length === 1) return numberOf(value.items[0], what);
  throw new ScriptError(value?.place ?? { file: '', line: 1, column: 1 }, `expected ${what} here`);
}

export function field(struct: CStruct, name: string): CValue | undefined {
  const value = struct.fields.get(name);
  return value?.kind === 'any' ? undefined : value;
}

/** As a script writes it, for messages. */
export function valueText(value: CValue): string {
  switch (value.kind) {
    case 'any':
      return '...';
    case 'number':
      return String(value.value);
    case 'string':
      return JSON.stringify(value.value);
    case 'list':
      return `[${value.items.map(valueText).join(', ')}]`;
    case 'struct':
      return `{${[...[...value.fields].map(([name, each]) => `${name}=${valueText(each)}`), ...value.bare.map(valueText)].join(', ')}}`;
  }
}
