import type { Place } from './language/script-error.js';

/** What came of one script. */
export interface ScriptOutcome {
  readonly file: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** Why not passed; empty when it did. */
  readonly reason: string;
  /** Where in the script. */
  readonly place?: Place | undefined;
  /** The event, as it is written. */
  readonly source?: string | undefined;
  readonly expected?: string | undefined;
  readonly seen?: string | undefined;
  /** The last packets both ways, for a failure. */
  readonly packets: readonly string[];
  /** What was ignored, or printed by the script. */
  readonly notes: readonly string[];
  /** The script itself is wrong, or this interpreter: no judgment of the stack. */
  readonly error: boolean;
}
