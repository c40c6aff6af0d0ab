import type { Script } from '../language/ast.js';
import type { Evaluator } from './c-values.js';
import type { Plain } from './calls/files.js';
import type { Clockwork } from './clockwork.js';
import type { Connections } from './connections.js';
import type { Settings } from './settings.js';
import type { Timing } from './timing.js';
import type { PacketTrace } from './trace.js';

/** What the events of one script share. */
export interface Stage {
  readonly script: Script;
  readonly settings: Settings;
  readonly clock: Clockwork;
  readonly connections: Connections;
  readonly timing: Timing;
  readonly evaluator: Evaluator;
  readonly trace: PacketTrace;
  /** The world's descriptor of an epoll instance, by the script's. */
  readonly epolls: Map<number, number>;
  readonly files: Map<number, Plain>;
  /** How much the calls have asked for, all together. */
  readonly moved: { bytes: number };
  /** Said with the outcome: what was ignored, what a block printed. */
  note(text: string): void;
  /** One line as things happen; goes nowhere unless somebody wants to see. */
  tell(line: string): void;
}
