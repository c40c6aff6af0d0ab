/** What open and silent connections cost a server: memory of its process, and of the kernel. */
import { setTimeout as delay } from 'node:timers/promises';
import { holdIdle, type ServerKind, type ServerOptions, ServerProcess } from './lineup.js';
import { kernelSocketBytes, residentBytes } from './process-cost.js';
import type { Topology } from './topology.js';

/** Time for the kernel to give memory back: sockets are freed after an RCU grace period, in batches. */
const SETTLE_MS = 1500;
/** Connections opened and closed before memory is measured, so that what is made once is not divided among the ten thousand. */
const IDLE_WARM_UP = 500;

export interface IdleCost {
  /** Bytes a connection: resident in the server process, and in the kernel for both ends together. */
  readonly process: number;
  readonly kernel: number;
}

/** A fresh server each time: memory that was touched once stays resident. */
export async function idleOnce(
  topology: Topology,
  kind: ServerKind,
  connections: number,
  options: ServerOptions = {},
): Promise<IdleCost> {
  const server = await ServerProcess.start(topology, kind, options);
  try {
    await holdIdle(topology, server, Math.min(IDLE_WARM_UP, connections), async () => {});
    await delay(SETTLE_MS);
    await server.collect();
    const resident = residentBytes(server.pid);
    const kernel = kernelSocketBytes();
    return await holdIdle(topology, server, connections, async () => {
      await server.collect();
      await delay(SETTLE_MS);
      return {
        process: (residentBytes(server.pid) - resident) / connections,
        kernel: (kernelSocketBytes() - kernel) / connections,
      };
    });
  } finally {
    await server.stop();
  }
}
