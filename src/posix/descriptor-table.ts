import { PosixError } from './posix-error.js';

/** Linux's default for the open files of a process, its hard limit (RLIMIT_NOFILE under systemd). */
const DESCRIPTORS_MAX = 524_288;

/** Small integers for what is open: the lowest free one is the next, as POSIX demands. */
export class DescriptorTable<File> {
  readonly #files: (File | undefined)[] = [];
  /** No number below it is free. */
  #lowest = 0;

  constructor(
    /** 0, 1 and 2 are the process's own. */
    readonly first = 3,
    readonly max = DESCRIPTORS_MAX,
  ) {}

  /** Throws EMFILE. */
  open(file: File): number {
    let at = this.#lowest;
    while (at < this.#files.length && this.#files[at] !== undefined) at += 1;
    if (at >= this.max) throw new PosixError('EMFILE', `all ${this.max} descriptors are in use; close some`);
    this.#files[at] = file;
    this.#lowest = at + 1;
    return this.first + at;
  }

  find(fd: number): File | undefined {
    return Number.isInteger(fd) ? this.#files[fd - this.first] : undefined;
  }

  close(fd: number): void {
    const at = fd - this.first;
    this.#files[at] = undefined;
    if (at < this.#lowest) this.#lowest = at;
    while (this.#files.length > 0 && this.#files[this.#files.length - 1] === undefined) this.#files.pop();
  }

  *[Symbol.iterator](): Iterator<[number, File]> {
    for (const [at, file] of this.#files.entries()) if (file !== undefined) yield [this.first + at, file];
  }
}
