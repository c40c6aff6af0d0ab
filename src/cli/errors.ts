/**
 * Exit status of the program, as sysexits and the shell's builtins have it: 1, what was asked did not come true (no reply,
 * proof failed); 2, it could not be tried: wrong arguments, no device, no rights.
 */
export const enum Exit {
  OK = 0,
  FAILED = 1,
  UNUSABLE = 2,
}

/** What the user can put right. Shown as one line with its code; never a stack trace. */
export class CliError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly exit: Exit = Exit.UNUSABLE,
  ) {
    super(message);
    this.name = 'CliError';
  }
}

/** `--mtu is "12": allowed is a whole number from 68 to 65521`. */
export function badValue(option: string, value: string, allowed: string, code = 'ERR_INVALID_ARG_VALUE'): CliError {
  return new CliError(code, `${option} is "${value}": allowed is ${allowed}`);
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exit: Exit;
  /** Ours, not the user's: worth a stack trace. */
  readonly unexpected: boolean;
}

/** Any error as a line for the user. Ones that carry a code (ours, Node's) are explained by it; others are our mistakes. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliError) {
    return { code: error.code, message: error.message, exit: error.exit, unexpected: false };
  }
  if (error instanceof Error) {
    const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
    const message = oneLine(error.message);
    return { code, message, exit: Exit.UNUSABLE, unexpected: code === '' };
  }
  return { code: '', message: oneLine(String(error)), exit: Exit.UNUSABLE, unexpected: true };
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, '; ').trim();
}
