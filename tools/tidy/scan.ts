/**
 * A scanner for TypeScript, good enough to tell code from comments and strings and one `{` from another. The checks look
 * for forms, not meanings, so a parser would buy little: this is a few hundred lines, needs nothing, and reads the whole
 * project in a fraction of a second.
 */

export interface Span {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface Scanned {
  readonly text: string;
  /** As long as `text`, with comments and the insides of strings, templates and regular expressions made blank. */
  readonly code: string;
  readonly comments: readonly Span[];
  /** String literals without their quotes; not templates. */
  readonly strings: readonly Span[];
}

const KEYWORD_BEFORE_REGEX = /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|new|instanceof)$/;

/** Can a `/` after this code begin a regular expression? If not it divides. */
function regexMayFollow(code: string): boolean {
  const before = code.trimEnd();
  if (before === '') return true;
  const last = before.charAt(before.length - 1);
  if (/[\w$]/.test(last)) return KEYWORD_BEFORE_REGEX.test(before.slice(-12));
  return !/[)\]}"'`]/.test(last);
}

/** Where the regular expression that begins at `start` ends: just after its flags. */
function regexEnd(text: string, start: number): number {
  let inClass = false;
  let i = start + 1;
  for (; i < text.length && text[i] !== '\n'; i++) {
    const c = text[i];
    if (c === '\\') i += 1;
    else if (c === '[') inClass = true;
    else if (c === ']') inClass = false;
    else if (c === '/' && !inClass) {
      i += 1;
      while (/[a-z]/.test(text.charAt(i))) i += 1;
      return i;
    }
  }
  return i;
}

function quotedEnd(text: string, start: number, quote: string): number {
  let i = start + 1;
  while (i < text.length && text[i] !== quote && text[i] !== '\n') i += text[i] === '\\' ? 2 : 1;
  return Math.min(i + 1, text.length);
}

const blank = (text: string): string => text.replace(/[^\n]/g, ' ');

export function scan(text: string): Scanned {
  const comments: Span[] = [];
  const strings: Span[] = [];
  let code = '';
  let i = 0;
  // Depth of braces inside each `${` that is open: what lies between is code again.
  const templates: number[] = [];

  /** From just after a backtick, or after the `}` that ends a substitution, to the next backtick or `${`. */
  const template = (): void => {
    const start = i;
    while (i < text.length && text[i] !== '`' && !(text[i] === '$' && text[i + 1] === '{')) {
      i += text[i] === '\\' ? 2 : 1;
    }
    i = Math.min(i, text.length);
    code += blank(text.slice(start, i));
    if (text[i] === '`') {
      code += '`';
      i += 1;
    } else if (i < text.length) {
      // Not `{`: no checker of braces should see this one. It sees a call instead, which is what it amounts to.
      code += '$(';
      i += 2;
      templates.push(0);
    }
  };

  if (text.startsWith('#!')) {
    i = text.indexOf('\n');
    code = blank(text.slice(0, i));
  }
  while (i < text.length) {
    const c = text.charAt(i);
    const next = text[i + 1];
    if (c === '/' && (next === '/' || next === '*')) {
      const close = next === '/' ? text.indexOf('\n', i) : text.indexOf('*/', i + 2) + 2;
      const end = close < i + 2 ? text.length : close;
      comments.push({ start: i, end, text: text.slice(i, end) });
      code += blank(text.slice(i, end));
      i = end;
    } else if (c === '"' || c === "'") {
      const end = quotedEnd(text, i, c);
      strings.push({ start: i, end, text: text.slice(i + 1, end - 1) });
      code += c + blank(text.slice(i + 1, end - 1)) + c;
      i = end;
    } else if (c === '`') {
      code += '`';
      i += 1;
      template();
    } else if (c === '/' && regexMayFollow(code)) {
      const end = regexEnd(text, i);
      code += `/${blank(text.slice(i + 1, end - 1))}/`;
      i = end;
    } else if (templates.length > 0 && c === '{') {
      templates[templates.length - 1] += 1;
      code += c;
      i += 1;
    } else if (templates.length > 0 && c === '}' && templates[templates.length - 1] === 0) {
      templates.pop();
      code += ')';
      i += 1;
      template();
    } else {
      if (templates.length > 0 && c === '}') templates[templates.length - 1] -= 1;
      code += c;
      i += 1;
    }
  }
  return { text, code, comments, strings };
}

/** 1-based line of an offset. */
export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < offset; i = text.indexOf('\n', i + 1)) line += 1;
  return line;
}

export interface Import {
  readonly specifier: string;
  readonly offset: number;
  /** `import type …`: gone after compilation, so it closes no cycle. */
  readonly typeOnly: boolean;
  /** A URL beside `import.meta.url`: it starts from where the compiled file lies, not from its source. */
  readonly fromDist: boolean;
}

const FROM = /(?<![\w$.])(import|export)\b(?!\s*\()([^;'"`]*?)(?:\bfrom\s*)?(?=['"])/g;
const CALLED = /(?<![\w$.])import\s*\(\s*(?=['"])|\bnew\s+URL\s*\(\s*(?=['"][^)]*import\.meta\.url)/g;

/** Every module a file names: imports, re-exports, `import()`, and `new URL('…', import.meta.url)` as workers are named. */
export function importsOf(scanned: Scanned): readonly Import[] {
  const found: Import[] = [];
  const at = new Map(scanned.strings.map((span) => [span.start, span.text]));
  for (const match of scanned.code.matchAll(FROM)) {
    const specifier = at.get(match.index + match[0].length);
    const clause = match[2] ?? '';
    // `export const a = 'b'` has no `from`; `import './a.js'` needs none.
    if (specifier === undefined || (!/\bfrom\s*$/.test(match[0]) && (match[1] === 'export' || clause.trim() !== '')))
      continue;
    found.push({
      specifier,
      offset: match.index,
      typeOnly: /^\s*type\b(?!\s*from\b)/.test(clause) || allTypes(clause),
      fromDist: false,
    });
  }
  for (const match of scanned.code.matchAll(CALLED)) {
    const specifier = at.get(match.index + match[0].length);
    // `new URL('../', import.meta.url)` is a folder.
    if (specifier !== undefined && /\.\w+$/.test(specifier)) {
      const fromDist = match[0].startsWith('new');
      found.push({ specifier, offset: match.index, typeOnly: false, fromDist });
    }
  }
  return found;
}

/** `{ type A, type B }`: nothing of it is left after compilation. */
function allTypes(clause: string): boolean {
  const names = /^\s*\{([^}]*)\}\s*(?:from\s*)?$/
    .exec(clause)?.[1]
    ?.split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith('type '));
}
