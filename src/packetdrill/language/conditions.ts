import { type Place, ScriptError } from './script-error.js';

/** `#if`, not `# if`: a comment may begin with the word. */
const DIRECTIVE = /^[ \t]*#(ifdef|ifndef|if|elif|else|endif|define|undef)\b(.*)$/s;
const NAME = /^[A-Za-z_]\w*$/;

interface Branch {
  readonly place: Place;
  /** What surrounds it is in effect. */
  readonly outer: boolean;
  /** One of its branches has been chosen. */
  chosen: boolean;
  active: boolean;
  sawElse: boolean;
}

/**
 * The text with the lines blanked that `#ifdef NAME`, `#ifndef NAME`, `#if`, `#elif`, `#else` and `#endif` leave out, so that places stay
 * true. `#if` takes a number, `NAME`, `defined(NAME)`, `!` and `NAME == VALUE`. `#define NAME VALUE` adds to `definitions`.
 */
export function applyConditions(file: string, text: string, definitions: Map<string, string>): string {
  if (!/^[ \t]*#(?:if|el|endif|define|undef)/m.test(text)) return text;
  // What the script defines with an option decides, too; its value is taken up where options are.
  const known = new Map(definitions);
  for (const [, name, value] of text.matchAll(/^[ \t]*--define=(\w+)=(\S*)/gm)) {
    if (!known.has(name)) known.set(name, value);
  }
  const open: Branch[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const match = DIRECTIVE.exec(lines[i]);
    const active = open.length === 0 || open[open.length - 1].active;
    if (match === null) {
      if (!active) lines[i] = '';
      continue;
    }
    const place = { file, line: i + 1, column: lines[i].indexOf('#') + 1 };
    direct(match[1], match[2].trim(), place, open, known, definitions);
    lines[i] = '';
  }
  const left = open.at(-1);
  if (left !== undefined) throw new ScriptError(left.place, 'a condition that begins here has no #endif');
  return lines.join('\n');
}

/** `known` decides; `defined` is what the script sees afterwards. */
function direct(
  word: string,
  rest: string,
  place: Place,
  open: Branch[],
  known: Map<string, string>,
  defined: Map<string, string>,
): void {
  const top = open.at(-1);
  const active = top === undefined || top.active;
  switch (word) {
    case 'define': {
      const [, name, value] = /^(\w+)[ \t]*(.*)$/.exec(rest) ?? [];
      if (name === undefined || !NAME.test(name)) throw new ScriptError(place, '#define needs a name');
      if (active) for (const map of [known, defined]) map.set(name, withoutComment(value, '//'));
      return;
    }
    case 'undef':
      if (active) for (const map of [known, defined]) map.delete(rest);
      return;
    case 'ifdef':
    case 'ifndef':
    case 'if': {
      const holds =
        word === 'if' ? condition(rest, place, known) : known.has(nameOf(rest, place)) === (word === 'ifdef');
      open.push({ place, outer: active, chosen: holds, active: active && holds, sawElse: false });
      return;
    }
    default:
      if (top === undefined) throw new ScriptError(place, `#${word} without #if`);
      if (word === 'endif') {
        open.pop();
        return;
      }
      if (top.sawElse) throw new ScriptError(place, `#${word} after #else`);
      top.sawElse = word === 'else';
      top.active = top.outer && !top.chosen && (word === 'else' || condition(rest, place, known));
      top.chosen ||= top.active;
  }
}

function nameOf(rest: string, place: Place): string {
  const name = withoutComment(rest, '//', '/*');
  if (!NAME.test(name)) throw new ScriptError(place, `"${rest}" is not a name`);
  return name;
}

function condition(text: string, place: Place, definitions: Map<string, string>): boolean {
  const [, marks, bare] = /^((?:!(?!=)\s?)*)(.*)$/s.exec(oneBlank(withoutComment(text, '//', '/*'))) ?? ['', '', ''];
  const negated = marks.replace(/\s/g, '').length % 2 === 1;
  return holds(bare, text, place, definitions) !== negated;
}

/** No blanks but single ones: patterns that look for them then take no longer for many. */
function oneBlank(text: string): string {
  return text.replace(/\s+/g, ' ');
}

function withoutComment(text: string, ...begins: readonly string[]): string {
  const at = begins.map((each) => text.indexOf(each)).filter((each) => each !== -1);
  return (at.length === 0 ? text : text.slice(0, Math.min(...at))).trim();
}

function holds(bare: string, text: string, place: Place, definitions: Map<string, string>): boolean {
  const defined = /^defined[ \t]*\(?[ \t]*(\w+)[ \t]*\)?$/.exec(bare);
  if (defined !== null) return definitions.has(defined[1]);
  const compared = /^(\w+)[ \t]*(==|!=)[ \t]*("[^"]*"|\w+)$/.exec(bare);
  const value = (word: string) => definitions.get(word) ?? word.replace(/"/g, '');
  if (compared !== null) return (value(compared[1]) === value(compared[3])) === (compared[2] === '==');
  if (/^\w+$/.test(bare))
    return !['0', 'false', ''].includes(value(bare)) && (definitions.has(bare) || !NAME.test(bare));
  throw new ScriptError(place, `#if understands NAME, defined(NAME), NAME == VALUE and !, not "${text}"`);
}
