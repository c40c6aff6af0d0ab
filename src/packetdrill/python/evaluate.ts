import { ScriptError, Unsupported } from '../language/script-error.js';
import type { Node, Statement, Value } from './ast.js';
import { formatPercent, repr, text } from './text.js';

/** What a block can see and do. */
export interface Surroundings {
  /** Assigned names; they live on from block to block, as all blocks of a script are one program. */
  readonly variables: Map<string, Value>;
  /** Names that the socket gives: `tcpi_…` and constants. */
  lookup(name: string): Value | undefined;
  print(line: string): void;
}

/** An assertion that does not hold. */
export interface FailedAssertion {
  readonly statement: Extract<Statement, { kind: 'assert' }>;
  /** `tcpi_snd_cwnd is 12, wanted is 10`: the names in it, and what they stood for. */
  readonly values: string;
  readonly message: string | undefined;
}

/** Strings and numbers of this size are nobody's assertion. */
const LENGTH_MAX = 10_000;
const BITS_MAX = 1000;
/** A message of many parts. */
const FORMAT_LENGTH_MAX = 100_000;

/** Runs until the end or the first assertion that does not hold. */
export function runPython(statements: readonly Statement[], around: Surroundings): FailedAssertion | undefined {
  for (const statement of statements) {
    const failed = runStatement(statement, around);
    if (failed !== undefined) return failed;
  }
  return undefined;
}

function runStatement(statement: Statement, around: Surroundings): FailedAssertion | undefined {
  switch (statement.kind) {
    case 'assert': {
      if (truth(evaluate(statement.test, around))) return undefined;
      const message = statement.message === undefined ? undefined : text(evaluate(statement.message, around));
      return { statement, values: valuesIn(statement.test, around), message };
    }
    case 'assign': {
      const value = evaluate(statement.value, around);
      const operator = statement.operator.slice(0, -1);
      const before: Node = { kind: 'name', place: statement.place, name: statement.name };
      around.variables.set(
        statement.name,
        operator === '' ? value : arithmetic(statement, operator, evaluate(before, around), value),
      );
      return undefined;
    }
    case 'if':
      return runPython(truth(evaluate(statement.test, around)) ? statement.then : statement.otherwise, around);
    case 'print':
      around.print(statement.args.map((arg) => text(evaluate(arg, around))).join(' '));
      return undefined;
    case 'expression':
      evaluate(statement.value, around);
      return undefined;
    case 'pass':
      return undefined;
  }
}

function evaluate(node: Node, around: Surroundings): Value {
  switch (node.kind) {
    case 'value':
      return node.value;
    case 'name': {
      const value = around.variables.get(node.name) ?? around.lookup(node.name);
      if (value === undefined) throw new ScriptError(node.place, `no value is known for "${node.name}"`);
      return value;
    }
    case 'format':
      return node.parts
        .map((part) => (typeof part === 'string' ? part : text(evaluate(part, around))))
        .reduce((whole, part) => whole + short(node, part, FORMAT_LENGTH_MAX - whole.length), '');
    case 'list':
      return node.items.map((item) => evaluate(item, around));
    case 'choose':
      return evaluate(truth(evaluate(node.test, around)) ? node.then : node.otherwise, around);
    case 'index':
      return element(node, evaluate(node.of, around), evaluate(node.at, around));
    case 'unary':
      return unary(node, evaluate(node.operand, around));
    case 'compare':
      return compareAll(node, around);
    case 'binary':
      return binary(node, around);
    case 'call':
      return call(
        node,
        node.args.map((arg) => evaluate(arg, around)),
      );
  }
}

function unary(node: Extract<Node, { kind: 'unary' }>, value: Value): Value {
  if (node.operator === 'not') return !truth(value);
  const number = numeric(node, value);
  return node.operator === '-' ? -number : node.operator === '~' ? -number - 1 : number;
}

function binary(node: Extract<Node, { kind: 'binary' }>, around: Surroundings): Value {
  const left = evaluate(node.left, around);
  if (node.operator === 'or') return truth(left) ? left : evaluate(node.right, around);
  if (node.operator === 'and') return truth(left) ? evaluate(node.right, around) : left;
  return arithmetic(node, node.operator, left, evaluate(node.right, around));
}

type At = Pick<Node, 'place'>;

function arithmetic(at: At, operator: string, left: Value, right: Value): Value {
  if (typeof left === 'string') {
    if (operator === '%') return formatPercent(left, right);
    if (operator === '+' && typeof right === 'string') return left + short(at, right, LENGTH_MAX - left.length);
    if (operator === '*' && typeof right === 'number' && left.length * right <= LENGTH_MAX)
      return left.repeat(Math.max(right, 0));
  }
  if (Array.isArray(left) && Array.isArray(right) && operator === '+')
    return left.concat(short(at, right, LENGTH_MAX - left.length));
  const a = numeric(at, left);
  const b = numeric(at, right);
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '**':
      return a ** b;
    case '/':
    case '//':
    case '%':
      if (b === 0) throw new ScriptError(at.place, 'division by zero');
      return operator === '/' ? a / b : operator === '//' ? Math.floor(a / b) : a - Math.floor(a / b) * b;
    default:
      return bitwise(at, operator, a, b);
  }
}

/** Values that double with each line would soon fill the memory. */
function short<T extends { readonly length: number }>(at: At, value: T, lengthMax: number): T {
  if (value.length <= lengthMax) return value;
  throw new ScriptError(at.place, `a value longer than ${LENGTH_MAX}`);
}

/** 64-bit fields do not fit into the operators of JavaScript. */
function bitwise(at: At, operator: string, a: number, b: number): number {
  if (!Number.isInteger(a) || !Number.isInteger(b))
    throw new ScriptError(at.place, `"${operator}" is for whole numbers`);
  const shift = operator === '<<' || operator === '>>';
  if (shift && (b < 0 || b > BITS_MAX)) throw new ScriptError(at.place, `a shift by ${b}`);
  const [x, y] = [BigInt(a), BigInt(b)];
  switch (operator) {
    case '|':
      return Number(x | y);
    case '&':
      return Number(x & y);
    case '^':
      return Number(x ^ y);
    case '<<':
      return Number(x << y);
    default:
      return Number(x >> y);
  }
}

/** `a < b < c` holds when each pair does. */
function compareAll(node: Extract<Node, { kind: 'compare' }>, around: Surroundings): boolean {
  let left = evaluate(node.operands[0], around);
  for (let i = 0; i < node.operators.length; i++) {
    const right = evaluate(node.operands[i + 1], around);
    if (!compare(node, node.operators[i], left, right)) return false;
    left = right;
  }
  return true;
}

function compare(at: At, operator: string, left: Value, right: Value): boolean {
  switch (operator) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case 'in':
      return contains(at, right, left);
    case 'not in':
      return !contains(at, right, left);
  }
  const strings = typeof left === 'string' && typeof right === 'string';
  const a = strings ? left : numeric(at, left);
  const b = strings ? right : numeric(at, right);
  return operator === '<' ? a < b : operator === '<=' ? a <= b : operator === '>' ? a > b : a >= b;
}

function equal(left: Value, right: Value): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, i) => equal(item, right[i]));
  }
  const plain = (value: Value) => (typeof value === 'boolean' ? Number(value) : value);
  return plain(left) === plain(right);
}

function contains(at: At, within: Value, value: Value): boolean {
  if (Array.isArray(within)) return within.some((item) => equal(item, value));
  if (typeof within === 'string' && typeof value === 'string') return within.includes(value);
  throw new ScriptError(at.place, `"in" needs a list or a string, not ${repr(within)}`);
}

function element(at: At, of: Value, index: Value): Value {
  if (typeof of !== 'string' && !Array.isArray(of)) throw new ScriptError(at.place, `${repr(of)} has no elements`);
  const i = numeric(at, index);
  const value = (of as readonly Value[] | string)[i < 0 ? i + of.length : i];
  if (value === undefined) throw new ScriptError(at.place, `${repr(of)} has no element ${i}`);
  return value;
}

function call(node: Extract<Node, { kind: 'call' }>, args: readonly Value[]): Value {
  const [first] = args;
  const need = (count: number) => {
    if (args.length < count) throw new ScriptError(node.place, `${node.name}() needs an argument`);
  };
  const numbers = () => (Array.isArray(first) ? first : args).map((arg: Value) => numeric(node, arg));
  switch (node.name) {
    case 'abs':
      need(1);
      return Math.abs(numeric(node, first));
    case 'min':
    case 'max':
      need(1);
      return numbers().reduce((a, b) => (node.name === 'min' ? Math.min(a, b) : Math.max(a, b)));
    case 'sum':
      need(1);
      return numbers().reduce((total, each) => total + each, 0);
    case 'int':
    case 'long':
      need(1);
      return Math.trunc(typeof first === 'string' ? Number(first) : numeric(node, first));
    case 'float':
      need(1);
      return typeof first === 'string' ? Number(first) : numeric(node, first);
    case 'bool':
      need(1);
      return truth(first);
    case 'round':
      need(1);
      return Math.round(numeric(node, first));
    case 'str':
      need(1);
      return text(first);
    case 'repr':
      need(1);
      return repr(first);
    case 'hex':
      need(1);
      return `0x${numeric(node, first).toString(16)}`;
    case 'len':
      need(1);
      if (typeof first === 'string' || Array.isArray(first)) return first.length;
      throw new ScriptError(node.place, `${repr(first)} has no length`);
    default:
      throw new Unsupported(node.place, `Python's ${node.name}() in a code block`);
  }
}

function truth(value: Value): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function numeric(at: At, value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  throw new ScriptError(at.place, `${repr(value)} is not a number`);
}

/** `tcpi_unacked is 3, tcpi_sacked is 0` */
function valuesIn(node: Node, around: Surroundings): string {
  const names = new Set<string>();
  collectNames(node, names);
  const parts: string[] = [];
  for (const name of names) {
    const value = around.variables.get(name) ?? around.lookup(name);
    if (value !== undefined) parts.push(`${name} is ${repr(value)}`);
  }
  return parts.join(', ');
}

function collectNames(node: Node, into: Set<string>): void {
  switch (node.kind) {
    case 'name':
      into.add(node.name);
      return;
    case 'unary':
      collectNames(node.operand, into);
      return;
    case 'binary':
      collectNames(node.left, into);
      collectNames(node.right, into);
      return;
    case 'compare':
      for (const operand of node.operands) collectNames(operand, into);
      return;
    case 'call':
      for (const arg of node.args) collectNames(arg, into);
      return;
    case 'list':
      for (const item of node.items) collectNames(item, into);
      return;
    case 'choose':
      for (const each of [node.test, node.then, node.otherwise]) collectNames(each, into);
      return;
  }
}
