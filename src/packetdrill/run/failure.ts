import type { Place } from '../language/script-error.js';

/** The stack did otherwise than the script says. */
export class Mismatch extends Error {
  readonly code = 'ERR_PACKETDRILL_MISMATCH';
  constructor(
    readonly place: Place,
    message: string,
    /** In the notation of scripts; undefined where there is nothing to put beside each other. */
    readonly expected?: string,
    readonly seen?: string,
  ) {
    super(message);
    this.name = 'Mismatch';
  }
}
