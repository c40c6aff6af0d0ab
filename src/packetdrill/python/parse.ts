import { type Place, ScriptError, Unsupported } from '../language/script-error.js';
import type { Node, Statement, Value } from './ast.js';
import { type Token, tokenize } from './tokens.js';

const DEPTH_MAX = 50;
/** Statements that would need a Python. */
const BEYOND = /^(?:for|while|def|class|with|try|raise|return|lambda|global|async|await|yield|exec)$/;
const KEYWORDS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['True', true],
  ['False', false],
  ['None', null],
]);
const ASSIGNMENTS = new Set(['=', '+=', '-=', '*=', '/=', '//=', '%=', '&=', '|=', '^=', '<<=', '>>=', '**=']);
/** From the loosest to the tightest, below comparisons. */
const LEVELS: readonly ReadonlySet<string>[] = [
  new Set(['|']),
  new Set(['^']),
  new Set(['&']),
  new Set(['<<', '>>']),
  new Set(['+', '-']),
  new Set(['*', '/', '//', '%']),
];
const COMPARISONS = new Set(['<', '<=', '>', '>=', '==', '!=']);

/** A block's statements. `place`: where its text begins. Throws a ScriptError, or Unsupported for what needs more than the subset. */
export function parsePython(text: string, place: Place): Statement[] {
  return new PythonParser(text, place).block();
}

class PythonParser {
  private at = 0;
  private depth = 0;
  private readonly tokens: readonly Token[];
  private readonly placeOf: (at: number) => Place;

  constructor(
    private readonly text: string,
    place: Place,
  ) {
    const { tokens, placeOf } = tokenize(text, place);
    this.tokens = tokens;
    this.placeOf = placeOf;
  }

  block(): Statement[] {
    const statements: Statement[] = [];
    while (this.token.kind !== 'end' && this.token.kind !== 'dedent') this.line(statements);
    return statements;
  }

  private line(into: Statement[]): void {
    if (this.takesKind('newline')) return;
    if (this.token.text === 'if' && this.token.kind === 'name') {
      into.push(this.choice());
      return;
    }
    if (this.token.kind === 'indent') this.fail('a statement, not an indentation');
    this.simpleStatements(into);
  }

  private simpleStatements(into: Statement[]): void {
    do {
      if (this.token.kind === 'newline') break;
      into.push(this.statement());
    } while (this.takes(';'));
    if (!this.takesKind('newline')) this.fail('the end of the statement');
  }

  private choice(): Statement {
    const place = this.place();
    this.at += 1;
    const test = this.expression();
    const then = this.suite();
    let otherwise: Statement[] = [];
    if (this.token.kind === 'name' && this.token.text === 'elif') otherwise = [this.nested(() => this.choice())];
    else if (this.takesName('else')) otherwise = this.suite();
    return { kind: 'if', place, test, then, otherwise };
  }

  private suite(): Statement[] {
    if (!this.takes(':')) this.fail('":"');
    const statements: Statement[] = [];
    if (!this.takesKind('newline')) {
      this.simpleStatements(statements);
      return statements;
    }
    if (!this.takesKind('indent')) this.fail('an indented block');
    const inner = this.nested(() => this.block());
    if (!this.takesKind('dedent')) this.fail('the end of the block');
    return inner;
  }

  private statement(): Statement {
    const place = this.place();
    const { kind, text, at } = this.token;
    if (kind === 'name') {
      if (BEYOND.test(text)) throw new Unsupported(place, `Python's "${text}" in a code block`);
      switch (text) {
        case 'assert': {
          this.at += 1;
          const test = this.expression();
          const message = this.takes(',') ? this.expression() : undefined;
          return { kind: 'assert', place, source: this.text.slice(at, this.token.at).trim(), test, message };
        }
        case 'pass':
          this.at += 1;
          return { kind: 'pass', place };
        case 'import':
        case 'from':
          // Nothing of a module is here; what uses one complains of its name.
          while (this.token.kind !== 'newline') this.at += 1;
          return { kind: 'pass', place };
        case 'print':
          this.at += 1;
          return { kind: 'print', place, args: this.printed() };
      }
      const next = this.tokens[this.at + 1];
      if (next.kind === 'operator' && ASSIGNMENTS.has(next.text)) {
        this.at += 2;
        return { kind: 'assign', place, name: text, operator: next.text, value: this.expressions() };
      }
    }
    return { kind: 'expression', place, value: this.expressions() };
  }

  /** `print(a, b)` and the older `print a, b`. */
  private printed(): Node[] {
    if (this.token.kind === 'newline') return [];
    const value = this.expressions();
    return value.kind === 'list' ? [...value.items] : [value];
  }

  /** One, or a tuple without parentheses. */
  private expressions(): Node {
    const place = this.place();
    const first = this.expression();
    if (!this.sees(',')) return first;
    const items = [first];
    while (this.takes(',') && this.token.kind !== 'newline') items.push(this.expression());
    return { kind: 'list', place, items };
  }

  private expression(): Node {
    return this.nested(() => {
      const place = this.place();
      const then = this.disjunction();
      if (!this.takesName('if')) return then;
      const test = this.disjunction();
      if (!this.takesName('else')) this.fail('"else"');
      return { kind: 'choose', place, test, then, otherwise: this.expression() };
    });
  }

  private disjunction(): Node {
    let left = this.conjunction();
    for (let place = this.place(); this.takesName('or'); place = this.place()) {
      left = { kind: 'binary', place, operator: 'or', left, right: this.conjunction() };
    }
    return left;
  }

  private conjunction(): Node {
    let left = this.negation();
    for (let place = this.place(); this.takesName('and'); place = this.place()) {
      left = { kind: 'binary', place, operator: 'and', left, right: this.negation() };
    }
    return left;
  }

  private negation(): Node {
    const place = this.place();
    if (this.takesName('not'))
      return { kind: 'unary', place, operator: 'not', operand: this.nested(() => this.negation()) };
    return this.comparison();
  }

  private comparison(): Node {
    const place = this.place();
    const operands = [this.level(0)];
    const operators: string[] = [];
    for (let operator = this.comparator(); operator !== undefined; operator = this.comparator()) {
      operators.push(operator);
      operands.push(this.level(0));
    }
    return operators.length === 0 ? operands[0] : { kind: 'compare', place, operators, operands };
  }

  private comparator(): string | undefined {
    const { kind, text } = this.token;
    if (kind === 'operator' && COMPARISONS.has(text)) {
      this.at += 1;
      return text;
    }
    if (this.takesName('in')) return 'in';
    if (this.takesName('is')) return this.takesName('not') ? '!=' : '==';
    if (text === 'not' && kind === 'name' && this.tokens[this.at + 1].text === 'in') {
      this.at += 2;
      return 'not in';
    }
    return undefined;
  }

  private level(level: number): Node {
    if (level === LEVELS.length) return this.signed();
    let left = this.level(level + 1);
    while (this.token.kind === 'operator' && LEVELS[level].has(this.token.text)) {
      const place = this.place();
      const operator = this.token.text;
      this.at += 1;
      left = { kind: 'binary', place, operator, left, right: this.level(level + 1) };
    }
    return left;
  }

  private signed(): Node {
    const place = this.place();
    for (const operator of ['-', '+', '~']) {
      if (this.takes(operator)) return { kind: 'unary', place, operator, operand: this.nested(() => this.signed()) };
    }
    const base = this.postfix();
    if (!this.takes('**')) return base;
    return { kind: 'binary', place, operator: '**', left: base, right: this.nested(() => this.signed()) };
  }

  private postfix(): Node {
    let node = this.primary();
    for (let place = this.place(); this.takes('['); place = this.place()) {
      node = { kind: 'index', place, of: node, at: this.expression() };
      if (!this.takes(']')) this.fail('"]"');
    }
    return node;
  }

  private primary(): Node {
    const place = this.place();
    const { kind, text, at } = this.token;
    this.at += 1;
    switch (kind) {
      case 'number':
        return { kind: 'value', place, value: Number(text.replace(/_/g, '')) };
      case 'string':
        return { kind: 'value', place, value: text };
      case 'format':
        return { kind: 'format', place, parts: this.formatParts(text, at) };
      case 'name': {
        const keyword = KEYWORDS.get(text);
        if (keyword !== undefined) return { kind: 'value', place, value: keyword };
        if (BEYOND.test(text)) throw new Unsupported(place, `Python's "${text}" in a code block`);
        return this.takes('(')
          ? { kind: 'call', place, name: text, args: this.items(')') }
          : { kind: 'name', place, name: text };
      }
      case 'operator':
        if (text === '(') return this.parenthesized(place);
        if (text === '[' || text === '{') return { kind: 'list', place, items: this.items(text === '[' ? ']' : '}') };
    }
    this.at -= 1;
    return this.fail('a value');
  }

  private parenthesized(place: Place): Node {
    if (this.takes(')')) return { kind: 'list', place, items: [] };
    const first = this.expression();
    if (this.takes(')')) return first;
    if (!this.takes(',')) this.fail('")"');
    return { kind: 'list', place, items: [first, ...this.items(')')] };
  }

  private items(close: string): Node[] {
    const items: Node[] = [];
    while (!this.takes(close)) {
      items.push(this.expression());
      if (!this.takes(',') && !this.sees(close)) this.fail(`"," or "${close}"`);
    }
    return items;
  }

  /** `{name}` and `{expression:format}` of an f-string; the format is not obeyed. */
  private formatParts(text: string, at: number): (string | Node)[] {
    return text.split(/(\{[^{}]*\})/).map((part) => {
      if (!part.startsWith('{')) return part;
      const inner = part.slice(1, -1).replace(/(?:![rs])?(?::[^:]*)?$/, '');
      return this.nested(() => new PythonParser(inner, this.placeOf(at)).expressions());
    });
  }

  private get token(): Token {
    return this.tokens[this.at];
  }

  private place(): Place {
    return this.placeOf(this.token.at);
  }

  private sees(operator: string): boolean {
    return this.token.kind === 'operator' && this.token.text === operator;
  }

  private takes(operator: string): boolean {
    if (!this.sees(operator)) return false;
    this.at += 1;
    return true;
  }

  private takesName(name: string): boolean {
    if (this.token.kind !== 'name' || this.token.text !== name) return false;
    this.at += 1;
    return true;
  }

  private takesKind(kind: Token['kind']): boolean {
    if (this.token.kind !== kind) return false;
    this.at += 1;
    return true;
  }

  private nested<T>(parse: () => T): T {
    if (this.depth >= DEPTH_MAX) throw new ScriptError(this.place(), `nested deeper than ${DEPTH_MAX}`);
    this.depth += 1;
    const parsed = parse();
    this.depth -= 1;
    return parsed;
  }

  private fail(what: string): never {
    const seen = this.token.text === '' ? 'the end of the line' : `"${this.token.text}"`;
    throw new ScriptError(this.place(), `expected ${what} in this code block, found ${seen}`);
  }
}
