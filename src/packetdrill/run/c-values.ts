import { chain, combine } from '../language/arithmetic.js';
import type { Expression } from '../language/ast.js';
import { Cursor } from '../language/cursor.js';
import { DEFINITIONS_DEEP_MAX } from '../language/definitions.js';
import { parseExpression } from '../language/parse-expression.js';
import { type Place, ScriptError, Unsupported } from '../language/script-error.js';
import { isForeignName } from './foreign-names.js';
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

export class Evaluator {
  /** What a name came to: definitions that name each other many times over would take for ever. */
  private readonly known = new Map<string, CValue>();

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
        const { first, rest } = chain(expression);
        let value = this.number(first, deep);
        for (const each of rest) value = combine(each.operator, value, this.number(each.right, deep), each.place);
        return { kind: 'number', place, value };
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
      const before = this.known.get(name);
      if (before !== undefined) return { ...before, place };
      if (deep >= DEFINITIONS_DEEP_MAX) throw new ScriptError(place, `the definition of ${name} leads back to itself`);
      const cursor = new Cursor(`-D ${name}`, text);
      const value = this.value(parseExpression(cursor), deep + 1);
      if (!cursor.ended) cursor.fail('the end of the definition');
      this.known.set(name, value);
      return { ...value, place };
    }
    if (name === 'NULL') return { kind: 'number', place, value: 0 };
    const value = symbolValue(name);
    if (value === undefined && isForeignName(name)) throw new Unsupported(place, name);
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
        if (last === undefined) throw new ScriptError(place, `${name}() needs an argument`);
        return this.value(last, deep);
      case 'inet_pton':
        // `inet_pton(AF_INET6, "::1", &sin6_addr)`: as strace has it, with the place it goes to behind.
        if (args.length < 2) throw new ScriptError(place, 'inet_pton() needs a family and an address');
        return this.value(args[1], deep);
      case 'sizeof':
        return { kind: 'number', place, value: 4 };
      default:
        throw new ScriptError(place, `"${name}" is no function known here`);
    }
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
