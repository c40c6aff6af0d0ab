/** What every benchmark server says to the process that started it: ready; collected; and stops when told or left alone. */
import type { ServerCommand, ServerMessage } from './workload.js';

function say(message: ServerMessage): void {
  process.send?.(message);
}

/** `stop` ends whatever holds the server's devices; then the process exits by itself, so that a CPU profile is written. */
export function serveParent(stop: () => void = () => {}): void {
  const end = (): void => {
    stop();
    process.exit(0);
  };
  process.on('message', (command: ServerCommand) => {
    if (command === 'stop') return end();
    // Garbage is memory the server does not need; both sides are measured without theirs.
    globalThis.gc?.();
    say({ collected: true });
  });
  process.on('disconnect', end);
  process.on('SIGTERM', end);
  say({ ready: true });
}
