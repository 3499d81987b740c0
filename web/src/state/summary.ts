// The machine in a few numbers: all CPUs as one, and what the memory is spent on.
import type { CpuRow, VirtualMemory } from "psio";

export interface CpuSummary {
  usage: number | null;
  user: number | null;
  system: number | null;
  iowait: number | null;
  steal: number | null;
}

type CpuShare = keyof CpuSummary;

/** The mean of those CPUs that know the value. */
function mean(cpus: readonly CpuRow[], share: CpuShare): number | null {
  let sum = 0;
  let known = 0;
  for (const cpu of cpus) {
    const value = cpu[share];
    if (value === null || value === undefined) continue;
    sum += value;
    known += 1;
  }
  return known === 0 ? null : sum / known;
}

export function summariseCpus(cpus: readonly CpuRow[]): CpuSummary {
  return {
    usage: mean(cpus, "usage"),
    user: mean(cpus, "user"),
    system: mean(cpus, "system"),
    iowait: mean(cpus, "iowait"),
    steal: mean(cpus, "steal"),
  };
}

export interface MemoryParts {
  total: number;
  /** What programs and the kernel hold on to: total − available. */
  inUse: number;
  /** Caches that would be given back on demand: available − free. */
  reclaimable: number;
  free: number;
}

/** Three parts that add up to the total; null when the machine does not say enough. */
export function memoryParts(memory: VirtualMemory): MemoryParts | null {
  const { total, available, free } = memory;
  if (total === null || available === null || free === null || total <= 0) return null;
  const inUse = Math.max(0, total - available);
  // On some kernels `available` leaves reserves out and is less than `free`.
  const unused = Math.min(free, total - inUse);
  return { total, inUse, reclaimable: total - inUse - unused, free: unused };
}
