import type { Value } from './ast.js';

/** As `str()` writes a value. */
export function text(value: Value): string {
  return typeof value === 'string' ? value : repr(value);
}

/** As `repr()` does: strings in quotes. */
export function repr(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  return String(value);
}

/** `'cwnd=%d' % tcpi_snd_cwnd`; widths and precisions are not obeyed, as nothing but a reader sees the outcome. */
export function formatPercent(template: string, argument: Value): string {
  const values = Array.isArray(argument) ? argument : [argument];
  let next = 0;
  return template.replace(
    /%(?:%|[-+ #0]*(?:[1-9]\d*)?(?:\.\d+)?l*([diouxXeEfFgGcrs]))/g,
    (whole, type: string | undefined) => {
      if (type === undefined) return '%';
      const value: Value | undefined = values[next++];
      if (value === undefined) return whole;
      if (typeof value === 'number') {
        if (type === 'x' || type === 'X') return Math.trunc(value).toString(16);
        if ('diu'.includes(type)) return String(Math.trunc(value));
      }
      return type === 'r' ? repr(value) : text(value);
    },
  );
}
