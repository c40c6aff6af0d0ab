/** What is checked, as tables. How is in the files beside this one. */

/**
 * What each layer may import: of the project, as prefixes of paths, and from outside. A layer may always import itself.
 * Two layers of one height are absent from each other's lists: `wire`, `memory` and `time` know nothing of one another.
 * The first prefix that fits a file decides.
 */
export interface Layer {
  readonly prefix: string;
  readonly imports: readonly string[];
  /** `node:` modules, packages a user installs with us, packages only we have. */
  readonly outside: { readonly node: boolean; readonly packages: 'none' | 'dependencies' | 'all' };
}

const NOTHING = { node: false, packages: 'none' } as const;
const SHIPPED = { node: true, packages: 'dependencies' } as const;
const OURS = { node: true, packages: 'all' } as const;

const BELOW_NET = ['stack/base/', 'stack/wire/', 'stack/memory/', 'stack/time/'];
/** All that `drivers/` and `stack/` know of each other: the device's shape, the notes on its frames, memory and headers. */
const FOR_DRIVERS = ['stack/base/', 'stack/wire/', 'stack/memory/', 'stack/net/device.ts', 'stack/net/note.ts'];

export const LAYERS: readonly Layer[] = [
  { prefix: 'stack/base/', imports: [], outside: NOTHING },
  { prefix: 'stack/wire/', imports: ['stack/base/'], outside: NOTHING },
  { prefix: 'stack/memory/', imports: ['stack/base/'], outside: NOTHING },
  { prefix: 'stack/time/', imports: ['stack/base/'], outside: NOTHING },
  { prefix: 'stack/net/', imports: BELOW_NET, outside: NOTHING },
  { prefix: 'stack/udp/', imports: [...BELOW_NET, 'stack/net/'], outside: NOTHING },
  { prefix: 'stack/tcp/', imports: [...BELOW_NET, 'stack/net/'], outside: NOTHING },
  { prefix: 'stack/', imports: [], outside: NOTHING },
  { prefix: 'drivers/', imports: FOR_DRIVERS, outside: SHIPPED },
  { prefix: 'src/reactor/', imports: ['stack/'], outside: NOTHING },
  { prefix: 'src/trace/', imports: ['stack/'], outside: NOTHING },
  { prefix: 'src/host/', imports: ['stack/', 'drivers/', 'src/reactor/'], outside: SHIPPED },
  { prefix: 'src/node/', imports: ['stack/', 'src/reactor/', 'src/host/'], outside: SHIPPED },
  { prefix: 'src/apps/', imports: ['stack/', 'src/reactor/', 'src/host/', 'src/node/'], outside: SHIPPED },
  { prefix: 'src/', imports: ['stack/', 'drivers/'], outside: SHIPPED },
  { prefix: 'tools/', imports: ['stack/', 'drivers/', 'src/'], outside: OURS },
  { prefix: 'test/', imports: ['stack/', 'drivers/', 'src/', 'tools/'], outside: OURS },
  { prefix: 'bin/', imports: ['src/'], outside: SHIPPED },
];

/** Nothing imports these from outside their folder: they are where a program begins. */
export const PROGRAMS: readonly string[] = ['src/cli/', 'tools/bench/'];

/** Where reading starts: what cannot be reached from here by imports is dead. Tests keep only other test files alive. */
export const ENTRIES: readonly RegExp[] = [
  /^src\/index\.ts$/,
  /^src\/cli\/main\.ts$/,
  /^stack\/stack\.ts$/,
  /^tools\/[^/]+\.(?:ts|mjs)$/,
  /^tools\/[^/]+\/main\.ts$/,
  /^bin\/[^/]+\.js$/,
  // Reads back the captures that we write: what the tests hold the writer against, and a user a recording.
  /^stack\/wire\/pcapng-reader\.ts$/,
];
export const TEST_ENTRY = /^test\/.*\.test\.ts$/;

export interface Form {
  readonly pattern: RegExp;
  readonly message: string;
}

/** Nothing in `stack/` knows a clock, chance, or the process it runs in: they come in as arguments. */
export const IMPURE: readonly Form[] = [
  { pattern: /(?<![\w$.])Date\b/g, message: 'the time is an argument (stack/time/clock.ts), not Date' },
  {
    pattern: /\bMath\s*\.\s*random\b/g,
    message: 'random numbers come from a seed (stack/base/prng.ts), not Math.random',
  },
  {
    pattern: /(?<![\w$.])performance\s*[.[]/g,
    message: 'the time is an argument (stack/time/clock.ts), not performance',
  },
  { pattern: /(?<![\w$.])process\s*[.[]/g, message: 'the stack knows no process: pass in what it needs' },
  { pattern: /(?<![\w$.])console\s*[.[]/g, message: 'the stack prints nothing: return text, or note and count' },
  {
    pattern: /(?<![\w$.])(?:setTimeout|setInterval|setImmediate|queueMicrotask|clearTimeout|clearInterval)\b/g,
    message: 'the stack sleeps by naming its next deadline (stack/time/timer-wheel.ts)',
  },
  { pattern: /(?<![\w$.])crypto\s*[.[]/g, message: 'secrets come in with the options, not from crypto' },
  {
    pattern: /(?<![\w$.])(?:globalThis|Buffer|require|fetch|navigator)\b/g,
    message: 'a global of the host: the stack has none',
  },
];

/** Tests here are of logic: virtual time, seeded chance. */
export const VIRTUAL_TIME: readonly string[] = [
  'test/stack/',
  'test/contract/',
  'test/sim/',
  'test/fuzz/',
  'test/golden/',
];
export const UNREPEATABLE: readonly Form[] = [
  { pattern: /(?<![\w$.])(?:setTimeout|setInterval)\b/g, message: 'no test sleeps: advance the virtual clock' },
  {
    pattern: /(?<![\w$.])(?:Date|performance)\s*[.(]/g,
    message: 'no test of logic reads the clock: the time is an argument',
  },
  {
    pattern: /\bMath\s*\.\s*random\b/g,
    message: 'a test that failed must fail again: take numbers from a seeded Prng',
  },
];

/** Where code runs for each segment. In these, only what is marked as control path may allocate. */
export const SEGMENT_PATH: readonly RegExp[] = [/^stack\/(?:wire|memory|time|net|udp|tcp)\//, /^stack\/[^/]+\.ts$/];
/**
 * What is free to allocate there, besides constructors and what runs once when a module is loaded. In words: the comment
 * before a function or a class, or at the head of a file, says that this runs per call or once, not per segment. Or by its
 * shape: what returns text, iterates for a listing or never returns is no part of a segment's way, and what is called `grow…`
 * doubles a table, which is paid for by the entries that filled it.
 */
export const CONTROL_PATH = {
  marker: 'Control path.',
  head: /\)\s*:\s*(?:(?:readonly\s+)?string(?:\[\])?(?:\s*\|\s*(?:undefined|null))?|never|(?:Iterable\w*|Generator)<[\s\S]*>)$|(?:^|[\s#])grow\w*\s*\(/,
} as const;

/**
 * What the caller of an interface did wrong is thrown at once, and what that costs is the caller's. The statement is free, not
 * the function around it: `send` is called as often as segments come. The peer's faults are verdicts, never this.
 */
export const CALLERS_FAULT = /(?<![\w$.])throw\s+new\s+StackError\s*(?=\()/g;

/** The one place that may make a view to copy through. */
export const COPY_HELPER = 'stack/memory/copy.ts';

/** What allocates, or may, or is slow; seen in blanked code, so a quote is an empty string. */
export const ALLOCATING: readonly Form[] = [
  { pattern: /(?<![\w$.])new\b/g, message: 'new allocates' },
  { pattern: /(?<![\w$.])throw\b/g, message: 'a throw costs a third of a microsecond: return a verdict' },
  { pattern: /(?<![\w$.])(?:async|await|yield)\b/g, message: "nothing waits on a segment's way" },
  { pattern: /=>/g, message: 'a closure is an object: name a function' },
  { pattern: /(?<![\w$.])function\b/g, message: 'a closure is an object: name a function at the top of the file' },
  { pattern: /\.\s*bind\s*\(\s*(?:this|null|undefined)\b/g, message: 'bind makes a function' },
  { pattern: /\.\.\./g, message: 'spreading copies' },
  { pattern: /\.\s*subarray\s*\(/g, message: 'subarray makes a view object: use the copy helper of stack/memory' },
  {
    pattern:
      /\.\s*(?:slice|map|filter|forEach|reduce|split|join|flatMap|entries|values|keys|toString|toFixed|padStart|padEnd)\s*\(/g,
    message: 'this method makes a new object or string',
  },
  {
    pattern:
      /(?<![\w$.])BigInt\b|\b(?:get|set)Big(?:Int|Uint)64\b|(?<![\w$.])Big(?:Int|Uint)64Array\b|(?<![\w$.])\d[\d_]*n\b/g,
    message: 'a BigInt is an object: use two 32-bit halves',
  },
  { pattern: /`[^`]*`/g, message: 'a template makes a string' },
  { pattern: /(?:['"]\s*\+(?!\+))|(?:\+=?\s*['"])/g, message: 'joining strings makes a string' },
  { pattern: /(?<![\w$.])(?:Object|Array|JSON|Reflect)\s*\./g, message: 'this makes or inspects objects' },
  {
    pattern: /(?<=(?:[=(,:?&|[{;]|\breturn|\bconst|\blet|\bvar|\bof|\bin|=>)\s*)\[/g,
    message: 'an array literal (or taking one apart) allocates',
  },
];
export const OBJECT_LITERAL = 'an object literal allocates';
export const CLOSURE = 'a closure is an object: name a function at the top of the file';

/** Protocol code without its RFC cannot be reviewed. `pcapng` and Ethernet come from elsewhere. */
export const CITED: readonly string[] = ['stack/tcp/', 'stack/wire/'];
export const CITATION = /\bRFC[\s ]?\d{2,5}\b|\bIEEE[\s ]?802\b|\bdraft-[a-z]|\bIANA\b/;

/** Longer files are two concerns. */
export const LINES_MAX = 450;

/** Folders that hold code of these layers explain themselves. */
export const EXPLAINED = /^(?:stack|drivers|src|tools)(?:\/|$)/;

export interface TextRule {
  readonly pattern: RegExp;
  readonly message: string;
}

/** In any tracked file. */
export const ANYWHERE: readonly TextRule[] = [
  {
    pattern: /(?<![\w.~}$-])\/(?:work|root|Users|home\/(?!vagrant\b))(?:\/[\w.-]+|(?<=\/)[\w.-]+)/g,
    message: 'a path of one machine',
  },
  {
    pattern: /\bregistry\.(?:npmjs|yarnpkg|npmmirror)\.[a-z]+|https?:\/\/(?:registry|npm|artifactory|nexus)\.[\w.-]+/g,
    message: "a package registry: it is the user's to choose",
  },
  {
    pattern: /"resolved"\s*:\s*"https?:/g,
    message: "a registry's address: write the lock file with omit-lockfile-registry-resolved",
  },
];
export const UNFINISHED = /\b(?:TODO|FIXME|XXX)\b/g;
