/**
 * Lists of rows in the order they were appended, by number: one row is in one list at most. Appending, removing and finding the first cost the
 * same however long a list is, so "who has waited longest" and "who holds most" need no search.
 */
export class RowLists {
  /** Rows + 1; 0 for none. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor(rows: number, lists: number) {
    this.#first = new Int32Array(lists);
    this.#last = new Int32Array(lists);
    this.#next = new Int32Array(rows);
    this.#previous = new Int32Array(rows);
  }

  /** The row that was appended first, or -1. */
  first(list: number): number {
    return this.#first[list] - 1;
  }

  /** The row is in no list of these. */
  append(list: number, row: number): void {
    const last = this.#last[list];
    this.#previous[row] = last;
    this.#next[row] = 0;
    if (last === 0) this.#first[list] = row + 1;
    else this.#next[last - 1] = row + 1;
    this.#last[list] = row + 1;
  }

  /** The row is in this list. */
  remove(list: number, row: number): void {
    const previous = this.#previous[row];
    const next = this.#next[row];
    if (previous === 0) this.#first[list] = next;
    else this.#next[previous - 1] = next;
    if (next === 0) this.#last[list] = previous;
    else this.#previous[next - 1] = previous;
  }
}
