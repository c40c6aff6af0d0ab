import { blocksOf } from './blocks.js';
import { type Finding, finding, type Source } from './finding.js';
import {
  ALLOCATING,
  CALLERS_FAULT,
  CLOSURE,
  CONTROL_PATH,
  COPY_HELPER,
  type Form,
  IMPURE,
  OBJECT_LITERAL,
  SEGMENT_PATH,
  UNREPEATABLE,
  VIRTUAL_TIME,
} from './rules.js';

/** Forms that a layer may not use, wherever they stand. */
export function checkForms(source: Source): Finding[] {
  const found: Finding[] = [];
  if (source.path.startsWith('stack/')) found.push(...search(source, IMPURE));
  if (VIRTUAL_TIME.some((prefix) => source.path.startsWith(prefix))) found.push(...search(source, UNREPEATABLE));
  if (
    source.path !== COPY_HELPER &&
    SEGMENT_PATH.some((pattern) => pattern.test(source.path)) &&
    !controlFile(source)
  ) {
    found.push(...checkSegmentPath(source));
  }
  return found;
}

/** A file whose first comment, before any code, carries the marker, is control path as a whole. */
function controlFile(source: Source): boolean {
  const first = source.scanned.comments[0];
  return first?.text.includes(CONTROL_PATH.marker) === true && !/\S/.test(source.scanned.code.slice(0, first.start));
}

function search(source: Source, forms: readonly Form[]): Finding[] {
  const found: Finding[] = [];
  for (const { pattern, message } of forms) {
    for (const match of source.scanned.code.matchAll(pattern)) found.push(finding(source, match.index, message));
  }
  return found;
}

/**
 * What allocates inside functions that run per segment. Constructors, module level and marked functions are free, and so is
 * the throwing of a caller's own fault.
 */
function checkSegmentPath(source: Source): Finding[] {
  const { regions, objects, closures } = blocksOf(source.scanned, CONTROL_PATH);
  const { code } = source.scanned;
  const faults = [...code.matchAll(CALLERS_FAULT)].map((match) => {
    return { start: match.index, end: closingParenthesis(code, match.index + match[0].length) };
  });
  const found: Finding[] = [];
  const add = (offset: number, message: string): void => {
    if (!faults.some(({ start, end }) => offset >= start && offset < end)) found.push(finding(source, offset, message));
  };
  for (const { start, end } of regions) {
    const body = code.slice(start, end);
    for (const { pattern, message } of ALLOCATING) {
      for (const match of body.matchAll(pattern)) add(start + match.index, message);
    }
  }
  for (const offset of objects) add(offset, OBJECT_LITERAL);
  for (const offset of closures) {
    // An arrow is found by its own form.
    if (!/=>\s*$/.test(code.slice(0, offset))) add(offset, CLOSURE);
  }
  return found;
}

/** Just after the parenthesis that closes the one at `open`. */
function closingParenthesis(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if (code[i] === '(') depth += 1;
    else if (code[i] === ')' && --depth === 0) return i + 1;
  }
  return code.length;
}
