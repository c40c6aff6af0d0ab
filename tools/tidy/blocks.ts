import type { Scanned } from './scan.js';

/** What a `{` opens. */
export const enum Block {
  MODULE,
  CLASS,
  /** Interface, enum, type, namespace members, import lists: nothing in there runs. */
  DECLARATION,
  /** The body of a function, method or arrow. */
  BODY,
  CONSTRUCTOR,
  /** The braces of `if`, `for`, `case`, … */
  STATEMENT,
  OBJECT,
  /** `const { a } = …`: takes apart, makes nothing. */
  PATTERN,
}

interface Frame {
  readonly kind: Block;
  /** Is this, or something around it, marked as control path? */
  readonly control: boolean;
  /** In a body that is not a constructor's? */
  readonly inBody: boolean;
  parens: number;
  headStart: number;
}

/** A stretch of code that runs each time a function is called. */
export interface Region {
  readonly start: number;
  readonly end: number;
}

export interface Blocks {
  /** Code inside functions that are not marked as control path and are not constructors. Several regions may share a function. */
  readonly regions: readonly Region[];
  /** `{` of object literals in those regions. */
  readonly objects: readonly number[];
  /** Bodies within bodies: closures. */
  readonly closures: readonly number[];
}

const STATEMENT = /^(?:\}?\s*)?(?:[A-Z_a-z$][\w$]*\s*:\s*)*(?:if|for|while|switch|do|else|try|catch|finally|with)\b/;
const LABEL = /^(?:case\b[^?]*|default\s*|[A-Za-z_$][\w$]*\s*):$/;
const TYPE_TAIL = /(?:[|&<]|\)\s*:|\bkeyof|\breadonly|\bis)$/;

/** Decides what a brace opens from the code between the last statement boundary and it. */
function classify(head: string, around: Frame): Block {
  if (/(?:^|\s)class\b[^()]*$/.test(head)) return Block.CLASS;
  if (/^(?:export\s+)?(?:declare\s+)?(?:(?:const\s+)?enum|interface|namespace|module|global)\b/.test(head)) {
    return Block.DECLARATION;
  }
  if (/^(?:export\s+)?(?:declare\s+)?type\b/.test(head) || /^(?:import|export)(?:\s+type)?$/.test(head)) {
    return Block.DECLARATION;
  }
  if (/=>$/.test(head)) return Block.BODY;
  if (TYPE_TAIL.test(head)) return Block.DECLARATION;
  if (around.kind === Block.CLASS) {
    if (/^(?:(?:public|private|protected|readonly)\s+)*constructor\s*\(/.test(head)) return Block.CONSTRUCTOR;
    if (/^static$/.test(head)) return Block.CONSTRUCTOR;
    if (/=\s*(?:[^=>]*[(,[:?]\s*)?$/.test(head) && !/\)\s*(?::[^=]*)?$/.test(head)) return Block.OBJECT;
    return /\)/.test(head) ? Block.BODY : Block.DECLARATION;
  }
  if (around.kind === Block.DECLARATION) return Block.DECLARATION;
  if (/(?:^|[^\w$.])function\b/.test(head) && /\)\s*(?::[^{}]*)?$/.test(head)) return Block.BODY;
  if (/(?:^|[\s(])(?:const|let|var)$/.test(head)) return Block.PATTERN;
  if (around.parens > 0) return Block.OBJECT;
  if (STATEMENT.test(head) || LABEL.test(head) || head === '') return Block.STATEMENT;
  if (around.kind === Block.OBJECT && /\)\s*(?::[^{}]*)?$/.test(head)) return Block.BODY;
  if (/^(?:export\s+)?(?:const|let|var)\s+[\w$]+\s*:$/.test(head)) return Block.DECLARATION;
  return Block.OBJECT;
}

/** What frees a declaration, and all inside it, from the rules of the segment path. */
export interface Exempt {
  /** A comment directly before it that contains this. */
  readonly marker: string;
  /** Its head, from its name or modifiers to the brace. */
  readonly head: RegExp;
}

/** Finds the code that runs per call, leaving out what is exempt. */
export function blocksOf(scanned: Scanned, exempt: Exempt): Blocks {
  const { code, comments } = scanned;
  const regions: Region[] = [];
  const objects: number[] = [];
  const closures: number[] = [];
  const marked = comments.filter((comment) => comment.text.includes(exempt.marker));
  const stack: Frame[] = [{ kind: Block.MODULE, control: false, inBody: false, parens: 0, headStart: 0 }];
  let regionStart = -1;

  const hot = (frame: Frame): boolean => frame.inBody && !frame.control;
  const turn = (now: Frame, offset: number): void => {
    if (hot(now) && regionStart === -1) regionStart = offset;
    if (!hot(now) && regionStart !== -1) {
      regions.push({ start: regionStart, end: offset });
      regionStart = -1;
    }
  };

  for (let i = 0; i < code.length; i++) {
    const c = code[i];
    const frame = stack[stack.length - 1] as Frame;
    if (c === '(' || c === '[') frame.parens += 1;
    else if (c === ')' || c === ']') frame.parens -= 1;
    else if (c === ';' && frame.parens === 0) frame.headStart = i + 1;
    else if (c === ',' && frame.parens === 0 && frame.kind === Block.OBJECT) frame.headStart = i + 1;
    else if (c === '{') {
      const head = withoutBraces(code.slice(frame.headStart, i)).trim();
      const kind = classify(head, frame);
      // A marker inside a body speaks of what follows it there, not of the function it stands in.
      const control =
        frame.control ||
        marked.some((comment) => comment.start >= frame.headStart && comment.end <= i) ||
        (kind === Block.BODY && exempt.head.test(head));
      const runs = kind === Block.BODY;
      const still = frame.inBody && kind !== Block.CLASS && kind !== Block.DECLARATION;
      if (hot(frame) && !control) {
        if (kind === Block.OBJECT) objects.push(i);
        if (kind === Block.BODY) closures.push(i);
      }
      const opened = {
        kind,
        control,
        inBody: kind !== Block.CONSTRUCTOR && (runs || still),
        parens: 0,
        headStart: i + 1,
      };
      stack.push(opened);
      turn(opened, i + 1);
    } else if (c === '}' && stack.length > 1) {
      stack.pop();
      const outer = stack[stack.length - 1] as Frame;
      turn(outer, i);
      // After `}` of a type or an object the statement goes on; after any other a new one begins.
      if (
        outer.parens === 0 &&
        frame.kind !== Block.OBJECT &&
        frame.kind !== Block.PATTERN &&
        !continues(code, i, frame.kind)
      ) {
        outer.headStart = i + 1;
      }
    }
  }
  return { regions, objects, closures };
}

/** With `{ a: { b: c } }` made `T`: a type's braces, or a default's, say nothing of the brace that follows them. */
function withoutBraces(head: string): string {
  const shorter = head.replace(/\{[^{}]*\}/g, 'T');
  return shorter === head ? head : withoutBraces(shorter);
}

/** Does the declaration go on after a type's brace: `f(): { a: number } {`? */
function continues(code: string, close: number, kind: Block): boolean {
  return kind === Block.DECLARATION && /^\s*(?:[{|&[\]=),;]|=>)/.test(code.slice(close + 1, close + 40));
}
