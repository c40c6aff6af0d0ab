import { SystemCallError } from './kernel-socket.js';

/**
 * The whole of a program that loads a server: status 0, 1 when a system call failed, 2 when the call was wrong. Thousands of open sockets
 * need no goodbye: the kernel closes them.
 */
export function runProgram(name: string, main: () => void): never {
  try {
    main();
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof SystemCallError ? 1 : 2);
  }
}
