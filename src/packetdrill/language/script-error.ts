/** Where in a script: line and column from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export function placeText(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`;
}

/** The script is wrong: it cannot be read, or says what no script may say. */
export class ScriptError extends Error {
  readonly code = 'ERR_PACKETDRILL_SCRIPT';
  constructor(
    readonly place: Place,
    message: string,
  ) {
    super(message);
    this.name = 'ScriptError';
  }
}

/** The script is right and needs what is not offered here: it is skipped, with the reason. */
export class Unsupported extends Error {
  readonly code = 'ERR_PACKETDRILL_UNSUPPORTED';
  constructor(
    readonly place: Place,
    message: string,
  ) {
    super(message);
    this.name = 'Unsupported';
  }
}
