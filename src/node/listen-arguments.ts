/** Everything `server.listen` may be given that makes sense on a stack of our own: no pipes, no descriptors, no handles. */
export interface ListenArguments {
  readonly port: number;
  readonly address: string;
  readonly backlog: number;
  readonly signal: AbortSignal | undefined;
  readonly callback: (() => void) | undefined;
}

/** Node's own default, and Linux rounds it up to 512. */
const BACKLOG = 511;

/** (port?, host?, backlog?, callback?) or (options, callback?). */
export function listenArguments(args: readonly unknown[]): ListenArguments {
  const last = args.at(-1);
  const callback = typeof last === 'function' ? (last as () => void) : undefined;
  const plain = callback === undefined ? args : args.slice(0, -1);
  const first = plain[0];
  if (typeof first === 'object' && first !== null) {
    const options = first as { port?: unknown; host?: unknown; backlog?: unknown; signal?: AbortSignal };
    for (const kernels of ['path', 'fd', 'handle', '_handle']) {
      if (((first as Record<string, unknown>)[kernels] ?? null) !== null) refuse(kernels);
    }
    return {
      port: portNumber(options.port),
      address: addressText(options.host),
      backlog: backlogNumber(options.backlog),
      signal: options.signal,
      callback,
    };
  }
  // As Node: a string that is no number is the path of a pipe.
  if (typeof first === 'string' && Number.isNaN(Number(first))) refuse('path');
  const host = typeof plain[1] === 'string' ? plain[1] : undefined;
  const backlog = plain.slice(1).find((value) => typeof value === 'number');
  return {
    port: portNumber(first),
    address: addressText(host),
    backlog: backlogNumber(backlog),
    signal: undefined,
    callback,
  };
}

/** What names something of the kernel's. */
function refuse(option: string): never {
  const message = `a server on a stack listens on a port: \`${option}\` is for the kernel`;
  throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', message);
}

export function portNumber(value: unknown): number {
  if (value === undefined || value === null) return 0;
  const port = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw coded(RangeError, 'ERR_SOCKET_BAD_PORT', `port is ${String(value)}: allowed is a whole number from 0 to 65535`);
}

function addressText(host: unknown): string {
  if (host === undefined || host === null || host === '' || host === '::') return '0.0.0.0';
  if (typeof host === 'string') return host;
  throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', `host is a string, not ${typeof host}`);
}

function backlogNumber(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.floor(value) : BACKLOG;
}

export function coded(Class: ErrorConstructor, code: string, message: string): Error & { code: string } {
  return Object.assign(new Class(message), { code });
}
