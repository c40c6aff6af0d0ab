import type { Expression } from './ast.js';
import { type Place, ScriptError } from './script-error.js';

type Binary = Extract<Expression, { kind: 'binary' }>;

/** `a + b - c` as its first term and the steps from there: a sum of many terms would be a tree deeper than the call stack. */
export function chain(expression: Binary): { readonly first: Expression; readonly rest: readonly Binary[] } {
  const rest: Binary[] = [];
  let first: Expression = expression;
  for (; first.kind === 'binary'; first = first.left) rest.push(first);
  return { first, rest: rest.reverse() };
}

/** C's operators, on whole numbers of up to 53 bits. Throws a ScriptError where C has no result. */
export function combine(operator: string, left: number, right: number, place: Place): number {
  switch (operator) {
    case '|':
      return Number(wide(left, place) | wide(right, place));
    case '^':
      return Number(wide(left, place) ^ wide(right, place));
    case '&':
      return Number(wide(left, place) & wide(right, place));
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

/** A product of many factors is not finite any more, and has no bits. */
function wide(value: number, place: Place): bigint {
  if (!Number.isInteger(value)) throw new ScriptError(place, `${value} is no whole number`);
  return BigInt(value);
}
