import { chain, combine } from './arithmetic.js';
import type { Expression } from './ast.js';
import { Cursor, type Names } from './cursor.js';
import { parseExpression } from './parse-expression.js';
import { type Place, ScriptError } from './script-error.js';

/** A definition may name another; one that comes back to itself ends here. */
export const DEFINITIONS_DEEP_MAX = 16;

/** The names of -D, --define and #define as packets use them: for numbers, cookies and the codes of ICMP. */
export class DefinedNames implements Names {
  /** What was reckoned once: definitions that name each other many times over would take for ever. */
  private readonly numbers = new Map<string, number | undefined>();

  constructor(private readonly definitions: ReadonlyMap<string, string>) {}

  text(name: string, place: Place): string | undefined {
    let text = this.definitions.get(name);
    for (let deep = 0; text !== undefined; deep++) {
      if (deep >= DEFINITIONS_DEEP_MAX) throw endless(name, place);
      const next = this.definitions.get(text);
      if (next === undefined) break;
      text = next;
    }
    return text;
  }

  /** Of a definition that is an expression of numbers and of other names: `(PEER_MSS - 12)`. */
  number(name: string, place: Place): number | undefined {
    return this.folded(name, place, 0);
  }

  private folded(name: string, place: Place, deep: number): number | undefined {
    const text = this.definitions.get(name);
    if (text === undefined) return undefined;
    if (this.numbers.has(name)) return this.numbers.get(name);
    if (deep >= DEFINITIONS_DEEP_MAX) throw endless(name, place);
    const value = this.reckoned(name, text, place, deep);
    this.numbers.set(name, value);
    return value;
  }

  private reckoned(name: string, text: string, place: Place, deep: number): number | undefined {
    const cursor = new Cursor(`-D ${name}`, text);
    let expression: Expression;
    try {
      expression = parseExpression(cursor);
      if (!cursor.ended) return undefined;
    } catch (error) {
      // A cookie such as 3021b9d889017eeb is no expression, and need not be one.
      if (error instanceof ScriptError) return undefined;
      throw error;
    }
    return this.fold(expression, place, deep + 1);
  }

  private fold(expression: Expression, place: Place, deep: number): number | undefined {
    switch (expression.kind) {
      case 'integer':
        return expression.value;
      case 'name':
        return this.folded(expression.name, place, deep);
      case 'unary': {
        const operand = this.fold(expression.operand, place, deep);
        return operand === undefined ? undefined : expression.operator === '-' ? -operand : ~operand >>> 0;
      }
      case 'binary': {
        const { first, rest } = chain(expression);
        let left = this.fold(first, place, deep);
        for (const { operator, right } of rest) {
          const value = this.fold(right, place, deep);
          if (left === undefined || value === undefined) return undefined;
          left = combine(operator, left, value, place);
        }
        return left;
      }
      default:
        return undefined;
    }
  }
}

function endless(name: string, place: Place): ScriptError {
  return new ScriptError(place, `the definition of ${name} leads back to itself`);
}
