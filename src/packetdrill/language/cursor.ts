import { type Place, ScriptError } from './script-error.js';

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const INTEGER = /0[xX][0-9a-fA-F]+|[0-9]+/y;
/** `0.5`, `.1`, `3`; a point belongs to the number only when a digit follows, so that `0...1` is a range. */
const DECIMAL = /[0-9]+(?:\.[0-9]+)?|\.[0-9]+/y;
const HEX = /[0-9a-fA-F]+/y;

/** What names of the script's definitions stand for. */
export interface Names {
  /** Undefined for a name that is not defined. */
  text(name: string, place: Place): string | undefined;
  /** The same, as a number. */
  number(name: string, place: Place): number | undefined;
}

/**
 * A script's text and how far it has been read. There is no separate lexer: `.5` is a time before a direction, flags with an
 * ACE field behind it, so only the reader knows what comes next.
 */
export class Cursor {
  at = 0;
  /** Undefined where names mean nothing: in the text of a definition. */
  names: Names | undefined;
  /** Which protocol `icmp` without a number means. */
  ipVersion: 4 | 6 = 4;
  private lineStarts: readonly number[] | undefined;

  /** `firstLine` and `firstColumn`: where in the file the text begins. */
  constructor(
    readonly file: string,
    readonly text: string,
    private readonly firstLine = 1,
    private readonly firstColumn = 1,
  ) {}

  place(at = this.at): Place {
    this.lineStarts ??= lineStartsOf(this.text);
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.lineStarts[middle] <= at) low = middle;
      else high = middle;
    }
    const column = at - this.lineStarts[low] + (low === 0 ? this.firstColumn : 1);
    return { file: this.file, line: this.firstLine + low, column };
  }

  /** `what`: what should have stood here. */
  fail(what: string, at = this.at): never {
    const seen = at >= this.text.length ? 'the end of the script' : `"${this.glimpse(at)}"`;
    throw new ScriptError(this.place(at), `expected ${what}, found ${seen}`);
  }

  refuse(message: string, at = this.at): never {
    throw new ScriptError(this.place(at), message);
  }

  /** Over blanks and comments, in any of the three forms. */
  skip(): void {
    const { text } = this;
    for (;;) {
      const c = text.charCodeAt(this.at);
      if (c === 32 || (c >= 9 && c <= 13)) {
        this.at += 1;
      } else if (c === 35 || (c === 47 && text.charCodeAt(this.at + 1) === 47)) {
        const end = text.indexOf('\n', this.at);
        this.at = end === -1 ? text.length : end + 1;
      } else if (c === 47 && text.charCodeAt(this.at + 1) === 42) {
        const end = text.indexOf('*/', this.at + 2);
        if (end === -1) this.refuse('a comment that begins here does not end');
        this.at = end + 2;
      } else {
        return;
      }
    }
  }

  get ended(): boolean {
    this.skip();
    return this.at >= this.text.length;
  }

  /** Whether `token` comes next; blanks before it are passed over either way. */
  sees(token: string): boolean {
    this.skip();
    return this.text.startsWith(token, this.at);
  }

  takes(token: string): boolean {
    if (!this.sees(token)) return false;
    this.at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.takes(token)) this.fail(`"${token}"`);
  }

  peekWord(): string | undefined {
    this.skip();
    return this.match(WORD);
  }

  word(what: string): string {
    const word = this.peekWord();
    if (word === undefined) this.fail(what);
    this.at += word.length;
    return word;
  }

  takesWord(word: string): boolean {
    if (this.peekWord() !== word) return false;
    this.at += word.length;
    return true;
  }

  /** Decimal, 0x… or a name that is defined; from 0 to `max`. */
  integer(what: string, max = 0xffff_ffff): number {
    this.skip();
    const at = this.at;
    const text = this.match(INTEGER) ?? this.match(WORD);
    const value = text === undefined ? undefined : /^[0-9]/.test(text) ? Number(text) : this.namedNumber(text);
    if (text === undefined || value === undefined) this.fail(what);
    if (!(value >= 0 && value <= max)) {
      const shown = text === String(value) || !/^[A-Za-z_]/.test(text) ? text : `${text} (${value})`;
      this.refuse(`${shown} is too ${value < 0 ? 'small' : 'large'} for ${what}: 0 to ${max}`, at);
    }
    this.at += text.length;
    return value;
  }

  private namedNumber(name: string): number | undefined {
    return this.names?.number(name, this.place());
  }

  /** Whether a number comes next, or a name that stands for one. */
  peekInteger(): boolean {
    this.skip();
    if (this.match(INTEGER) !== undefined) return true;
    const word = this.match(WORD);
    return word !== undefined && this.namedNumber(word) !== undefined;
  }

  /** What the next word stands for, when it is a name that is defined. Not taken. */
  peekDefined(): string | undefined {
    const word = this.peekWord();
    return word === undefined ? undefined : this.names?.text(word, this.place());
  }

  /** Seconds, as µs. */
  peekSeconds(): boolean {
    this.skip();
    return this.match(DECIMAL) !== undefined;
  }

  seconds(): number {
    this.skip();
    const digits = this.match(DECIMAL);
    if (digits === undefined) this.fail('a time in seconds');
    this.at += digits.length;
    return Math.round(Number(digits) * 1e6);
  }

  /** An even number of hexadecimal digits, or a name that stands for them; empty where there are none. */
  hex(what: string): string {
    this.skip();
    const at = this.at;
    const word = this.match(WORD);
    const defined = word === undefined ? undefined : this.names?.text(word, this.place());
    const digits = defined === undefined ? (this.match(HEX) ?? '') : bareHex(defined);
    if (digits === undefined) this.refuse(`${what}: ${word} is defined as "${defined}", not as hexadecimal digits`, at);
    if (digits.length % 2 !== 0) this.refuse(`${what} "${digits}" has an odd number of hexadecimal digits`, at);
    this.at += word !== undefined && defined !== undefined ? word.length : digits.length;
    return digits.toLowerCase();
  }

  /** `"…"` or `'…'`, with C's escapes. */
  string(): string {
    this.skip();
    const start = this.at;
    const quote = this.text[this.at];
    if (quote !== '"' && quote !== "'") this.fail('a string');
    let value = '';
    this.at += 1;
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined || c === '\n') this.refuse('a string that begins here does not end', start);
      this.at += 1;
      if (c === quote) return value;
      value += c === '\\' ? this.escape() : c;
    }
  }

  /** Everything up to `end`, which is taken, too. `what` is complained of when it does not come. */
  until(end: string, what: string, from: number): string {
    const at = this.text.indexOf(end, this.at);
    if (at === -1) this.refuse(`${what} that begins here does not end`, from);
    const text = this.text.slice(this.at, at);
    this.at = at + end.length;
    return text;
  }

  /** The first match of a sticky pattern here, not taken. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text)?.[0];
  }

  private escape(): string {
    const c = this.text[this.at++] ?? '';
    if (c === 'x') {
      const code = this.match(/[0-9a-fA-F]{1,2}/y) ?? '';
      this.at += code.length;
      return String.fromCharCode(Number.parseInt(code, 16) || 0);
    }
    return { n: '\n', r: '\r', t: '\t', '0': '\0' }[c] ?? c;
  }

  private glimpse(at: number): string {
    const line = this.text.slice(at, at + 24).split('\n')[0];
    return line.trim() === '' ? (this.text[at] === '\n' ? 'the end of the line' : line) : line.trimEnd();
  }
}

/** `3021b9d8`, with `0x` before it or in quotes as well. */
function bareHex(text: string): string | undefined {
  return /^(["']?)(?:0[xX])?([0-9a-fA-F]*)\1$/.exec(text)?.[2];
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return starts;
}
