import { lineOf, type Scanned } from './scan.js';

/** Path from the root of the project, with `/`, → contents. */
export type Tree = ReadonlyMap<string, string>;

export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export interface Source {
  readonly path: string;
  readonly scanned: Scanned;
}

export function finding(source: Source, offset: number, message: string): Finding {
  return { file: source.path, line: lineOf(source.scanned.text, offset), message };
}

export const isSource = (path: string): boolean => /\.(?:ts|mjs|js)$/.test(path);
