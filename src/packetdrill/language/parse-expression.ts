import type { Expression, Field } from './ast.js';
import type { Cursor } from './cursor.js';

/** Deeper nesting is no script of a person, and would end in an overflow of ours. */
const DEPTH_MAX = 64;

/** From the loosest to the tightest; each level associates to the left. */
const LEVELS: readonly (readonly string[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '%']];

/** An argument or a result of a call: C's integer expressions, strings, `...`, `[lists]` and `{structs}`. */
export function parseExpression(cursor: Cursor, depth = 0): Expression {
  if (depth > DEPTH_MAX) cursor.refuse(`nested deeper than ${DEPTH_MAX}`);
  return parseLevel(cursor, 0, depth);
}

/**
 * What a call results in: `3`, `-1`, `O_RDWR|O_NONBLOCK`. No sums: a `+` or `*` behind it begins the next event's time.
 */
export function parseResult(cursor: Cursor): Expression {
  let left = parsePrimary(cursor, 0);
  while (cursor.sees('|')) {
    const place = cursor.place();
    cursor.takes('|');
    left = { kind: 'binary', place, operator: '|', left, right: parsePrimary(cursor, 0) };
  }
  return left;
}

function parseLevel(cursor: Cursor, level: number, depth: number): Expression {
  if (level === LEVELS.length) return parsePrimary(cursor, depth);
  let left = parseLevel(cursor, level + 1, depth);
  for (;;) {
    const operator = LEVELS[level].find((each) => cursor.sees(each));
    if (operator === undefined) return left;
    const place = cursor.place();
    cursor.takes(operator);
    left = { kind: 'binary', place, operator, left, right: parseLevel(cursor, level + 1, depth) };
  }
}

function parsePrimary(cursor: Cursor, depth: number): Expression {
  cursor.skip();
  const place = cursor.place();
  if (cursor.takes('...')) return { kind: 'ellipsis', place };
  const c = cursor.text[cursor.at];
  if (c === '-' || c === '~' || c === '&') {
    cursor.at += 1;
    const operand = parsePrimary(cursor, deeper(cursor, depth));
    // `&1` is strace's way to write what a pointer points to.
    return c === '&' ? operand : { kind: 'unary', place, operator: c, operand };
  }
  if (c === '"' || c === "'") return { kind: 'string', place, value: joined(cursor) };
  if (c === '(') {
    cursor.at += 1;
    const inner = parseExpression(cursor, deeper(cursor, depth));
    cursor.expect(')');
    return inner;
  }
  if (c === '[') return { kind: 'list', place, items: parseItems(cursor, '[', ']', deeper(cursor, depth)) };
  if (c === '{') return { kind: 'struct', place, fields: parseFields(cursor, deeper(cursor, depth)) };
  if (c >= '0' && c <= '9')
    return { kind: 'integer', place, value: cursor.integer('a number', Number.MAX_SAFE_INTEGER) };
  const name = cursor.word('a value');
  if (cursor.sees('('))
    return { kind: 'apply', place, name, args: parseItems(cursor, '(', ')', deeper(cursor, depth)) };
  return { kind: 'name', place, name };
}

function deeper(cursor: Cursor, depth: number): number {
  if (depth >= DEPTH_MAX) cursor.refuse(`nested deeper than ${DEPTH_MAX}`);
  return depth + 1;
}

/** Strings beside each other are one, as in C; `"abc"...` is one of which more follows. */
function joined(cursor: Cursor): string {
  let value = cursor.string();
  while (cursor.sees('"')) value += cursor.string();
  cursor.takes('...');
  return value;
}

export function parseItems(cursor: Cursor, open: string, close: string, depth = 0): Expression[] {
  const items: Expression[] = [];
  cursor.expect(open);
  if (cursor.takes(close)) return items;
  do {
    items.push(parseExpression(cursor, depth));
  } while (cursor.takes(','));
  if (!cursor.takes(close)) cursor.fail(`"," or "${close}"`);
  return items;
}

function parseFields(cursor: Cursor, depth: number): Field[] {
  const fields: Field[] = [];
  cursor.expect('{');
  if (cursor.takes('}')) return fields;
  do {
    fields.push(parseField(cursor, depth));
  } while (cursor.takes(','));
  if (!cursor.takes('}')) cursor.fail('"," or "}"');
  return fields;
}

/** `events=POLLIN`, `msg_iov(2)=[…]`, or a bare value. */
function parseField(cursor: Cursor, depth: number): Field {
  const begin = cursor.at;
  const name = cursor.peekWord();
  if (name !== undefined) {
    cursor.takesWord(name);
    let count: Expression | undefined;
    if (cursor.takes('(')) {
      count = parseExpression(cursor, depth);
      if (!cursor.takes(')')) count = undefined;
    }
    if (cursor.takes('=')) return { name, count, value: parseExpression(cursor, depth) };
    cursor.at = begin;
  }
  return { name: '', count: undefined, value: parseExpression(cursor, depth) };
}
