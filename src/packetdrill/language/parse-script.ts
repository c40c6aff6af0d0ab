import type { CallEvent, Event, EventTime, Script, ScriptOption, TimeKind } from './ast.js';
import { applyConditions } from './conditions.js';
import { Cursor } from './cursor.js';
import { DefinedNames } from './definitions.js';
import { parseItems, parseResult } from './parse-expression.js';
import { parsePacket } from './parse-packet.js';
import { ScriptError } from './script-error.js';

/** The longest script anyone wrote is a fiftieth of it. */
export const SCRIPT_BYTES_MAX = 1 << 20;
const EVENTS_MAX = 50_000;
/** A month: beyond, a number is a slip of the pen. */
const SECONDS_MAX = 31 * 86_400;

const NO_TIME: EventTime = { kind: 'none', us: 0, endUs: 0 };

/**
 * A whole script. `definitions` decide `#ifdef`s, stand for numbers in packets, and take what `#define` and `--define` add. `ipVersion`: what
 * `icmp` means unless the script says so. `fallbacks`: definitions that give way to those of the script. Throws a ScriptError with its place, or Unsupported where the language goes beyond TCP, UDP and ICMP.
 */
export function parseScript(
  file: string,
  text: string,
  definitions: Map<string, string> = new Map(),
  ipVersion: 4 | 6 = 4,
  fallbacks: readonly (readonly [string, string])[] = [],
): Script {
  if (text.length > SCRIPT_BYTES_MAX) {
    throw new ScriptError({ file, line: 1, column: 1 }, `larger than ${SCRIPT_BYTES_MAX} bytes`);
  }
  const cursor = new Cursor(file, applyConditions(file, text.replace(/^\ufeff/, ''), definitions));
  const options = parseOptions(cursor);
  for (const { name, value } of options) {
    const [, defined, meaning] = name === 'define' ? (/^(\w+)=(.*)$/s.exec(value) ?? []) : [];
    // The command line's definition stands.
    if (defined !== undefined && !definitions.has(defined)) definitions.set(defined, meaning);
  }
  for (const [name, meaning] of fallbacks) if (!definitions.has(name)) definitions.set(name, meaning);
  cursor.names = new DefinedNames(definitions);
  const version = options.findLast(({ name }) => name === 'ip_version')?.value;
  cursor.ipVersion = version === undefined ? ipVersion : version === 'ipv6' ? 6 : 4;
  const events: Event[] = [];
  while (!cursor.ended) {
    if (events.length === EVENTS_MAX) cursor.refuse(`more than ${EVENTS_MAX} events`);
    events.push(parseEvent(cursor));
  }
  return { file, options, events };
}

function parseOptions(cursor: Cursor): ScriptOption[] {
  const options: ScriptOption[] = [];
  while (cursor.sees('--')) {
    const place = cursor.place();
    cursor.takes('--');
    const name = cursor.match(/[A-Za-z0-9_-]+/y);
    if (name === undefined) cursor.fail('the name of an option');
    cursor.at += name.length;
    let value = '';
    if (cursor.match(/[ \t]*=/y) !== undefined) {
      cursor.expect('=');
      cursor.at += (cursor.match(/[ \t]+/y) ?? '').length;
      const quoted = cursor.text[cursor.at] === '"' || cursor.text[cursor.at] === "'";
      value = quoted ? cursor.string() : (cursor.match(/[^\s"']+(?:"[^"\n]*")?/y) ?? '');
      if (!quoted) cursor.at += value.length;
    }
    options.push({ place, name, value });
  }
  return options;
}

function parseEvent(cursor: Cursor): Event {
  cursor.skip();
  const begin = cursor.at;
  const place = cursor.place();
  // Commands before the first event and after the last have no time.
  const time = cursor.sees('`') ? NO_TIME : parseTime(cursor);
  cursor.skip();
  const actionAt = cursor.at;
  const range = time.kind === 'any' || time.kind.endsWith('range');
  const source = () => cursor.text.slice(begin, cursor.at).replace(/\s+/g, ' ').trim();
  const precise = (what: string) => {
    if (range) cursor.refuse(`only outbound packets may come at any time or within a range, not ${what}`, begin);
  };
  if (cursor.takes('`')) {
    precise('a command');
    return { kind: 'command', place, time, text: cursor.until('`', 'a command', actionAt), source: source() };
  }
  if (cursor.takes('%{')) {
    const textPlace = cursor.place();
    precise('code');
    return {
      kind: 'code',
      place,
      time,
      textPlace,
      text: cursor.until('}%', 'a code block', actionAt),
      source: source(),
    };
  }
  if (cursor.sees('<') || cursor.sees('>')) {
    const direction = cursor.sees('<') ? 'inbound' : 'outbound';
    cursor.at += 1;
    if (direction === 'inbound') precise('an inbound packet');
    const packet = parsePacket(cursor, direction);
    return { kind: 'packet', place, time, direction, packet, source: source() };
  }
  precise('a system call');
  const call = parseCall(cursor);
  return { kind: 'call', place, time, ...call, source: source() };
}

type Call = Pick<CallEvent, 'name' | 'args' | 'result' | 'errno' | 'returnsUs'>;

/** `...0.2 connect(3, …) = -1 ETIMEDOUT (Connection timed out)` */
function parseCall(cursor: Cursor): Call {
  let returnsUs: number | undefined;
  if (cursor.takes('...')) {
    cursor.takes('+');
    returnsUs = seconds(cursor);
  }
  const name = cursor.word('"<", ">", a system call, a command in back-quotes or "%{"');
  if (!cursor.sees('(')) cursor.fail(`"(" after the name of a system call, "${name}"`);
  const args = parseItems(cursor, '(', ')');
  cursor.expect('=');
  const result = cursor.takes('?') ? undefined : parseResult(cursor);
  const errno = /^E[A-Z0-9]+$/.test(cursor.peekWord() ?? '') ? cursor.word('an error') : undefined;
  if (cursor.sees('(')) {
    const from = cursor.at;
    cursor.takes('(');
    cursor.until(')', 'a note in parentheses', from);
  }
  return { name, args, result, errno, returnsUs };
}

function parseTime(cursor: Cursor): EventTime {
  if (cursor.takes('*')) return { kind: 'any', us: 0, endUs: 0 };
  const begin = cursor.at;
  const relative = cursor.takes('+');
  if (!cursor.peekSeconds())
    cursor.fail('the time of an event (0.1, +0.1, 0.1~0.2 or *), or an option before the first event');
  const us = seconds(cursor);
  if (!cursor.takes('~')) return { kind: relative ? 'relative' : 'absolute', us, endUs: us };
  cursor.takes('+');
  const endUs = seconds(cursor);
  if (endUs < us) cursor.refuse('this range of time ends before it begins', begin);
  const kind: TimeKind = relative ? 'relative-range' : 'absolute-range';
  return { kind, us, endUs };
}

function seconds(cursor: Cursor): number {
  const begin = cursor.at;
  const us = cursor.seconds();
  if (us > SECONDS_MAX * 1e6) cursor.refuse(`a time may be ${SECONDS_MAX} s at most`, begin);
  return us;
}
