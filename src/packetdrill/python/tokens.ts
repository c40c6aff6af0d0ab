import { Cursor } from '../language/cursor.js';
import { type Place, ScriptError } from '../language/script-error.js';

export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'format' | 'operator' | 'newline' | 'indent' | 'dedent' | 'end';
  readonly text: string;
  readonly at: number;
}

const OPERATORS = /\*\*=|\/\/=|<<=|>>=|\*\*|\/\/|<<|>>|<=|>=|==|!=|->|[-+*/%&|^]=|[-+*/%&|^~<>()[\]{},:.;=]/y;
const NUMBER = /0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y;
const NAME = /[A-Za-z_]\w*/y;
const STRING_PREFIX = /[rbuRBU]?(?=["'])/y;
const FORMAT_PREFIX = /[fF](?=["'])/y;

/**
 * A block's text as Python's own tokens. Lines inside brackets are one; the indentation of the first line is the block's, because a
 * script indents the whole.
 */
export function tokenize(
  text: string,
  place: Place,
): { readonly tokens: Token[]; readonly placeOf: (at: number) => Place } {
  const cursor = new Cursor(place.file, text, place.line, place.column);
  const tokens: Token[] = [];
  const indents: number[] = [];
  let depth = 0;
  let lineBegins = true;
  const push = (kind: Token['kind'], text: string, at: number) => tokens.push({ kind, text, at });
  while (cursor.at < text.length) {
    if (lineBegins) {
      const width = indentation(cursor);
      // Blank lines and those with nothing but a comment say nothing.
      if (cursor.at >= text.length || text[cursor.at] === '\n' || text[cursor.at] === '#') {
        skipLine(cursor);
        continue;
      }
      indent(tokens, indents, width, cursor, push);
      lineBegins = false;
    }
    const c = text[cursor.at];
    if (c === '\n') {
      cursor.at += 1;
      if (depth === 0) {
        push('newline', '', cursor.at - 1);
        lineBegins = true;
      }
    } else if (c === ' ' || c === '\t' || c === '\r') {
      cursor.at += 1;
    } else if (c === '\\' && /^\r?\n/.test(text.slice(cursor.at + 1, cursor.at + 3))) {
      cursor.at = text.indexOf('\n', cursor.at) + 1;
    } else if (c === '#') {
      const end = text.indexOf('\n', cursor.at);
      cursor.at = end === -1 ? text.length : end;
    } else {
      const token = takeToken(cursor);
      if (token.kind === 'operator') depth += '([{'.includes(token.text) ? 1 : ')]}'.includes(token.text) ? -1 : 0;
      tokens.push(token);
    }
  }
  push('newline', '', cursor.at);
  for (let i = 1; i < indents.length; i++) push('dedent', '', cursor.at);
  push('end', '', cursor.at);
  return { tokens, placeOf: (at) => cursor.place(at) };
}

function indentation(cursor: Cursor): number {
  const blanks = cursor.match(/[ \t\r]*/y) ?? '';
  cursor.at += blanks.length;
  // The first line of a block stands behind `%{` and has the width of nothing.
  return [...blanks].reduce((width, c) => (c === '\t' ? (width | 7) + 1 : width + 1), 0);
}

function skipLine(cursor: Cursor): void {
  const end = cursor.text.indexOf('\n', cursor.at);
  cursor.at = end === -1 ? cursor.text.length : end + 1;
}

function indent(
  tokens: readonly Token[],
  indents: number[],
  width: number,
  cursor: Cursor,
  push: (kind: Token['kind'], text: string, at: number) => void,
): void {
  if (indents.length === 0) {
    // Behind `%{` on its line; the lines below set the margin of the block.
    indents.push(cursor.text.lastIndexOf('\n', cursor.at) === -1 ? -1 : width);
    return;
  }
  // Behind a colon on the first line a block is indented; all else there is the margin.
  const opened = tokens.at(-2)?.text === ':';
  if (indents.length === 1 && indents[0] === -1 && !opened) indents[0] = width;
  const top = indents[indents.length - 1];
  if (width > top) {
    indents.push(width);
    push('indent', '', cursor.at);
    return;
  }
  while (width < indents[indents.length - 1] && indents.length > 1) {
    indents.pop();
    push('dedent', '', cursor.at);
  }
  if (indents[indents.length - 1] === -1) indents[0] = width;
  if (width !== indents[indents.length - 1]) {
    throw new ScriptError(cursor.place(), 'the indentation of this line fits none before it');
  }
}

function takeToken(cursor: Cursor): Token {
  const at = cursor.at;
  if (cursor.match(FORMAT_PREFIX) !== undefined) {
    cursor.at += 1;
    return { kind: 'format', text: cursor.string(), at };
  }
  const prefix = cursor.match(STRING_PREFIX);
  if (prefix !== undefined) {
    cursor.at += prefix.length;
    return { kind: 'string', text: cursor.string(), at };
  }
  for (const [kind, pattern] of [
    ['name', NAME],
    ['number', NUMBER],
    ['operator', OPERATORS],
  ] as const) {
    const text = cursor.match(pattern);
    if (text !== undefined) {
      cursor.at += text.length;
      return { kind, text, at };
    }
  }
  return cursor.fail('Python');
}
