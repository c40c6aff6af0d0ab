import { print, programName } from './output.js';
import type { Session } from './session.js';
import { Ending } from './signals.js';

/** How long requests under way may take once the end was asked for. */
const FINISH_MS = 2000;

/** What a command that serves until told otherwise consists of. */
export interface Service {
  /** Printed once it runs. */
  readonly greeting: string;
  start(): Promise<void>;
  /** Takes no more; resolves when what is under way is finished. */
  stop(): Promise<void>;
  /** Ends what is under way. */
  cut(): void;
}

/** Runs a service until SIGINT or SIGTERM, then ends it in order: no more connections, those under way, the stack, the device. */
export async function runServer(session: Session, make: (session: Session) => Service): Promise<void> {
  const ending = new Ending();
  session.onFailure(() => ending.request());
  try {
    const service = make(session);
    await service.start();
    print(service.greeting);
    for (const line of describeSession(session)) print(line);
    await ending.requested;
    // Without a device nothing that is under way can finish.
    if (session.failure !== null) service.cut();
    else await finish(service);
  } finally {
    await session.close();
    ending.release();
  }
  if (session.failure !== null) throw session.failure;
}

/** Where the stack is and what else it leaves or offers. */
export function describeSession(session: Session): string[] {
  const { settings } = session;
  const lines = [`on ${session.device.name}, MTU ${session.iface.mtu}, seed ${settings.seed}`];
  if (settings.trace !== undefined) lines.push(`tracing to ${settings.trace}`);
  if (session.control !== undefined) lines.push(`connections: ${programName()} ss --control ${session.control.path}`);
  return lines;
}

async function finish(service: Service): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      service.cut();
      resolve();
    }, FINISH_MS);
  });
  await Promise.race([service.stop(), late]);
  clearTimeout(timer);
}
