/** A simple command: words with quotes taken off, redirections left out. */
export type Words = readonly string[];

const LINES_MAX = 2000;

/**
 * The simple commands of what stands in back-quotes or in a shell script, in order: as much of a shell's syntax as settings are written
 * in. Quotes, `$((…))` of plain numbers, comments, `;`, `&&`, `||`, `|`, and lines continued with a backslash; `2>&1` and the like are dropped.
 */
export function shellCommands(text: string): Words[] {
  const commands: Words[] = [];
  const joined = text.replace(/\\\r?\n/g, ' ');
  for (const line of joined.split(/\r?\n/).slice(0, LINES_MAX)) {
    for (const words of splitLine(line)) if (words.length > 0) commands.push(words);
  }
  return commands;
}

function splitLine(line: string): Words[] {
  const commands: string[][] = [[]];
  let word: string | undefined;
  const end = () => {
    if (word !== undefined) commands[commands.length - 1].push(word);
    word = undefined;
  };
  const next = () => {
    end();
    commands.push([]);
  };
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (c === '"' || c === "'") {
      const close = line.indexOf(c, i + 1);
      const quoted = line.slice(i + 1, close === -1 ? undefined : close);
      word = (word ?? '') + (c === '"' ? arithmetic(quoted) : quoted);
      i = close === -1 ? line.length : close;
    } else if (c === '#' && word === undefined) {
      break;
    } else if (c === '$' && line.startsWith('$((', i)) {
      const close = line.indexOf('))', i);
      const whole = line.slice(i, close === -1 ? undefined : close + 2);
      word = (word ?? '') + arithmetic(whole);
      i += whole.length - 1;
    } else if (c === '>' || c === '<') {
      // `> /dev/null`, `2>&1`: to where is nothing to us, except where `echo 1 > /proc/…` sets something.
      if (/^\d$/.test(word ?? '')) word = undefined;
      end();
      const target = /^(?:>>?|<)&?\s*([^\s;|&]*)/.exec(line.slice(i));
      const path = target?.[1] ?? '';
      if (path.startsWith('/proc/sys/')) commands[commands.length - 1].push('>', path);
      i += (target?.[0].length ?? 1) - 1;
    } else if (c === ';' || c === '|' || c === '&') {
      next();
    } else if (c === ' ' || c === '\t') {
      end();
    } else {
      word = (word ?? '') + c;
    }
  }
  end();
  return commands;
}

/** `$((15*1024*1024))` → 15728640; what is no product, sum or quotient of plain numbers stays as it is. */
function arithmetic(text: string): string {
  return text.replace(/\$\(\(([^()]*)\)\)/g, (whole, sum: string) => {
    const total = evaluateSum(sum.replace(/\s+/g, ''));
    return total === undefined ? whole : String(total);
  });
}

function evaluateSum(text: string): number | undefined {
  if (!/^\d+(?:[-+*/]\d+)*$/.test(text)) return undefined;
  let total = 0;
  for (const [, sign, term] of text.matchAll(/([-+]?)([\d*/]+)/g)) {
    const value = term.split('*').reduce((product, factor) => {
      const [first, ...divisors] = factor.split('/').map(Number);
      return product * divisors.reduce((quotient, divisor) => Math.trunc(quotient / divisor), first);
    }, 1);
    total += sign === '-' ? -value : value;
  }
  return Number.isFinite(total) ? total : undefined;
}
