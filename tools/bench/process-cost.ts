/** What work cost, read from /proc: CPU time of a process, busy time of the machine, resident and kernel memory. */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

/** Ticks a second in /proc: USER_HZ, 100 on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time of a process and all its threads, in seconds. */
export function parseProcessCpu(stat: string): number {
  // The program's name stands in parentheses and may hold anything, so fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Seconds all CPUs spent on anything but idling, waiting for a disk, or another guest of the hypervisor. */
export function parseMachineBusy(stat: string): number {
  const line = stat.slice(0, stat.indexOf('\n'));
  const fields = line.trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , interrupt = 0, softInterrupt = 0] = fields;
  return (user + nice + system + interrupt + softInterrupt) / TICKS_PER_SECOND;
}

/** The scheduler's own account of a thread, in seconds; the file has nanoseconds. Undefined where the kernel keeps none. */
export function parseThreadCpu(schedstat: string): number | undefined {
  const match = /^(\d+) \d+ \d+/.exec(schedstat);
  return match === null || match[1] === '0' ? undefined : Number(match[1]) / 1e9;
}

/**
 * CPU seconds of a process. From the scheduler's account of each thread, in nanoseconds, where the kernel has one: `stat` counts in
 * ticks of 10 ms, which is a percent of a run. Node's threads live as long as the process, so none of them is missed.
 */
export function processCpu(pid: number): number {
  let total = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      total += parseThreadCpu(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1')) ?? 0;
    }
  } catch {
    total = 0; // no such file: the kernel was built without it; or a thread ended between the two calls
  }
  return total > 0 ? total : parseProcessCpu(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

export function machineBusy(): number {
  return parseMachineBusy(readFileSync('/proc/stat', 'latin1'));
}

/** Resident bytes. `smaps_rollup` walks the page tables and is exact; `statm` lags by up to 64 pages per CPU. */
export function residentBytes(pid: number): number {
  const match = /^Rss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
  if (match === null) throw new Error(`/proc/${pid}/smaps_rollup has no Rss line`);
  return Number(match[1]) * 1024;
}

/**
 * Slab caches whose size says nothing about sockets but moves whenever anybody touches a file. `dentry` is shared by files and sockets:
 * each socket has exactly one, so it is counted instead of measured (`DENTRY_BYTES`).
 */
const FILE_SYSTEM_CACHE =
  /^(?!sock_)(.*_inode_cache|.*_inode|inode_cache|dentry|buffer_head|radix_tree_node|ext4_.*|btrfs_.*|jbd2_.*|vm_area_struct|maple_node|anon_vma.*|lsm_inode_cache|names_cache|task_struct|proc_.*|fscrypt.*|kernfs.*|page->ptl|bio.*|xfs_.*|pid|cred_jar|sighand_cache|signal_cache|files_cache|mm_struct|fs_cache|Acpi-.*|shmem_.*)$/;

/** Size of `struct dentry` on a 64-bit kernel. */
export const DENTRY_BYTES = 192;

/** Bytes of slab memory by cache, for the caches a socket may be made of. Whole slabs count: that memory is taken. */
export function parseSlabs(slabinfo: string): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const line of slabinfo.split('\n')) {
    const match = /^(\S+)\s+\d+\s+\d+\s+\d+\s+\d+\s+(\d+) : .* : slabdata\s+\d+\s+(\d+)/.exec(line);
    if (match === null || FILE_SYSTEM_CACHE.test(match[1])) continue;
    bytes.set(match[1], Number(match[2]) * Number(match[3]) * 4096);
  }
  return bytes;
}

/** Bytes of pages in TCP's queues, over all namespaces: the accounting behind `tcp_mem`. */
export function parseTcpQueueBytes(sockstat: string): number {
  const match = /^TCP: .* mem (\d+)/m.exec(sockstat);
  return match === null ? 0 : Number(match[1]) * 4096;
}

/** Kernel memory that sockets could account for, in bytes. Needs root: /proc/slabinfo is root's. */
export function kernelSocketBytes(): number {
  let total = parseTcpQueueBytes(readFileSync('/proc/net/sockstat', 'latin1'));
  for (const bytes of parseSlabs(readFileSync('/proc/slabinfo', 'latin1')).values()) total += bytes;
  return total;
}

/** What figures were taken on, for reports that are read elsewhere. */
export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly kernel: string;
  readonly node: string;
}

export function describeMachine(): Machine {
  const [first] = cpus();
  return { cpu: first?.model ?? 'unknown', cpus: cpus().length, kernel: release(), node: process.version };
}
