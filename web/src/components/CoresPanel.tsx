// Every CPU by itself: a small graph for each while there are few, one heat map when there are many.
import { useMemo } from "preact/hooks";
import type { CpuRow } from "psio";
import { headlinePercent } from "../state/format";
import type { History } from "../state/history";
import { Chart } from "./Chart";
import { HeatMap } from "./HeatMap";
import { usePage } from "./context";

/** More small graphs than this are too small to read and too many to draw each second. */
const MOST_SMALL_GRAPHS = 16;
const BUSY_PERCENT = 80;

function gridColumns(count: number): number {
  if (count <= 1) return 1;
  if (count <= 4) return 2;
  return count <= 6 || count === 9 ? 3 : 4;
}

function busiest(cpus: readonly CpuRow[]): CpuRow | null {
  let found: CpuRow | null = null;
  for (const cpu of cpus) if (cpu.usage !== null && cpu.usage > (found?.usage ?? -1)) found = cpu;
  return found;
}

function describe(cpus: readonly CpuRow[]): string {
  const top = busiest(cpus);
  if (top === null) return "";
  const busy = cpus.filter((cpu) => cpu.usage !== null && cpu.usage >= BUSY_PERCENT).length;
  return `${busy} of ${cpus.length} above ${BUSY_PERCENT} % · busiest is CPU ${top.num} at ${headlinePercent(top.usage)}`;
}

export function CoresPanel() {
  const { app } = usePage();
  const cpus = app.cpus.value;
  const history = app.coreHistory.value;
  const many = cpus.length > MOST_SMALL_GRAPHS;
  const text = describe(cpus);
  return (
    <section class="panel cores-panel" aria-labelledby="cores-title">
      <div class="panel-head">
        <h2 id="cores-title">Per CPU</h2>
        <span class="aside">{text}</span>
      </div>
      {many ? (
        <HeatMap history={history} label={`Usage of each CPU over the last minute; ${text}`} />
      ) : (
        <div class="cores" role="group" tabIndex={0} aria-label={`Each CPU; ${text}`} style={{ "--core-columns": String(gridColumns(cpus.length)) }}>
          {cpus.map((cpu, index) => <Core key={cpu.num} cpu={cpu} index={index} history={history} />)}
        </div>
      )}
    </section>
  );
}

function Core({ cpu, index, history }: { cpu: CpuRow; index: number; history: History }) {
  const series = useMemo(() => [{ index, label: "usage", stroke: "--cpu", fill: true }], [index]);
  const value = headlinePercent(cpu.usage);
  return (
    <div class="core" role="img" aria-label={`CPU ${cpu.num}, ${value}`}>
      <Chart history={history} series={series} most={100} format={headlinePercent} label="" compact />
      <span class="core-num" aria-hidden="true">{cpu.num}</span>
      <span class="core-value" aria-hidden="true">{value}</span>
    </div>
  );
}
