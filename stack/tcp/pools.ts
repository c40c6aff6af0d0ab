import type { PoolReport } from '../memory/pool-report.js';
import { SLICES_IN_CHUNK } from '../memory/slices.js';
import type { TcpContext } from './context.js';
import { RESERVE_CHUNKS } from './memory.js';

/**
 * Control path. What each pool of TCP holds, for `ss --memory` and for tests (docs/memory.md). The names of RFC 9293
 * §3.3.2 where the pool is of a state.
 */
export function tcpPools(tcp: TcpContext): readonly PoolReport[] {
  const { arena, reassembly, transmits, marks, savedSyns, table, synTable, timeWaits, cookieCache, limits } = tcp;
  const { stats } = tcp.net;
  const { slices } = arena;
  const none = { reserve: 0, refused: 0, evicted: 0 };
  let waiting = 0;
  let backlogs = 0;
  let mostWaiting = 0;
  for (const listener of tcp.listeners) {
    waiting += listener.count;
    backlogs += listener.backlog + 1;
    mostWaiting += listener.highWater;
  }
  return [
    {
      name: 'tcp.buffers',
      unit: 'chunks',
      used: arena.chunksMax - arena.chunksFree,
      limit: arena.chunksMax,
      reserve: RESERVE_CHUNKS,
      highWater: arena.chunksHighWater,
      refused: stats.tcpMemoryRefused,
      evicted: stats.tcpMemoryEvicted,
    },
    {
      ...none,
      name: 'tcp.short-queues',
      unit: 'entries',
      used: slices.used,
      limit: arena.chunksMax * SLICES_IN_CHUNK,
      highWater: slices.highWater,
    },
    {
      name: 'tcp.out-of-order',
      unit: 'records',
      used: reassembly.count,
      limit: limits.outOfOrderMax,
      reserve: 1,
      highWater: reassembly.highWater,
      refused: stats.tcpRunsRefused,
      evicted: stats.tcpRunsEvicted,
    },
    {
      ...none,
      name: 'tcp.sent',
      unit: 'records',
      used: transmits.count,
      limit: limits.transmitRecordsMax,
      reserve: 1,
      highWater: transmits.highWater,
      refused: stats.tcpRecordsRefused,
    },
    {
      ...none,
      name: 'tcp.send-marks',
      unit: 'entries',
      used: marks.count,
      limit: limits.sendMarksMax,
      reserve: 1,
      highWater: marks.highWater,
      refused: stats.tcpMarksRefused,
    },
    {
      ...none,
      name: 'tcp.connections',
      unit: 'rows',
      used: table.count,
      limit: limits.connectionsMax,
      highWater: table.highWater,
      refused: stats.tcpConnectionsRefused,
    },
    {
      ...none,
      name: 'tcp.active',
      unit: 'rows',
      used: table.activeCount,
      limit: limits.activeMax,
      highWater: table.activeHighWater,
      refused: stats.tcpActiveRefused,
      evicted: stats.tcpActiveEvicted,
    },
    {
      ...none,
      name: 'tcp.syn-received',
      unit: 'rows',
      used: synTable.count,
      limit: limits.synReceivedMax,
      highWater: synTable.highWater,
      refused: stats.tcpSynQueueFullDrops,
      evicted: stats.tcpHalfOpenEvicted,
    },
    {
      ...none,
      name: 'tcp.saved-syns',
      unit: 'entries',
      used: savedSyns.count,
      limit: limits.savedSynsMax,
      highWater: savedSyns.highWater,
      refused: stats.tcpSavedSynsRefused,
    },
    {
      ...none,
      name: 'tcp.accept-queues',
      unit: 'entries',
      used: waiting,
      limit: backlogs,
      highWater: mostWaiting,
      refused: stats.tcpListenOverflows,
    },
    {
      ...none,
      name: 'tcp.time-wait',
      unit: 'rows',
      used: timeWaits.count,
      limit: limits.timeWaitMax,
      highWater: timeWaits.highWater,
      evicted: stats.tcpTimeWaitsEvicted,
    },
    {
      ...none,
      name: 'tcp.cookies',
      unit: 'entries',
      used: cookieCache.used,
      limit: cookieCache.max,
      highWater: cookieCache.highWater,
      evicted: cookieCache.replaced,
    },
  ];
}

/** How many rows of each kind are in use. */
export interface RowCounts extends Readonly<Record<string, number>> {
  readonly connections: number;
  readonly active: number;
  readonly halfOpen: number;
  readonly timeWait: number;
  readonly listeners: number;
}

/** Control path. */
export function rowCounts(tcp: TcpContext): RowCounts {
  let listeners = 0;
  for (const _ of tcp.listeners) listeners += 1;
  return {
    connections: tcp.table.count,
    active: tcp.table.activeCount,
    halfOpen: tcp.synTable.count,
    timeWait: tcp.timeWaits.count,
    listeners,
  };
}
