// Memory: how much cannot be had any more, what the rest is spent on, and swap.
import type { MemoryStats, SwapMemory } from "psio";
import { bytes, exactBytes, headlinePercent, wholePercent } from "../state/format";
import { memoryParts } from "../state/summary";
import { Chart } from "./Chart";
import { usePage } from "./context";

const SERIES = [
  { index: 0, label: "memory", stroke: "--memory", fill: true },
  { index: 1, label: "swap", stroke: "--swap", dash: [4, 3] },
];

const PARTS = [
  { key: "inUse", label: "In use", hint: "Held by programs and the kernel: total − available" },
  { key: "reclaimable", label: "Cache", hint: "Given back when programs need it: available − free" },
  { key: "free", label: "Free", hint: "Used for nothing" },
] as const;

export function MemoryPanel() {
  const { app } = usePage();
  const memory = app.memory.value;
  const percent = memory?.virtual.percent ?? null;
  const headline = headlinePercent(percent);
  return (
    <section class="panel memory-panel" aria-labelledby="memory-title">
      <div class="panel-head">
        <h2 id="memory-title">Memory</h2>
        <output class="headline" data-testid="memory-percent">{headline}</output>
        <span class="aside" title={exactBytes(memory?.virtual.total ?? null)}>
          {memory !== null && `of ${bytes(memory.virtual.total)}`}
        </span>
        {memory !== null && <Swap swap={memory.swap} />}
      </div>
      {memory !== null && <Parts memory={memory} />}
      <Chart history={app.memoryHistory} series={SERIES} most={100} format={headlinePercent} axis={wholePercent} label={`Memory in use, ${headline} now; swap, ${headlinePercent(memory?.swap.percent ?? null)}`} />
    </section>
  );
}

function Swap({ swap }: { swap: SwapMemory }) {
  return (
    <span class="swap-facts" title={`Swapped in ${bytes(swap.sin)}, out ${bytes(swap.sout)} since boot`}>
      <i class="swatch swap" aria-hidden="true" />
      Swap <b>{swap.total === 0 ? "none" : `${bytes(swap.used)} of ${bytes(swap.total)}`}</b>
    </span>
  );
}

function Parts({ memory }: { memory: MemoryStats }) {
  const parts = memoryParts(memory.virtual);
  return (
    <>
      <div class="stack" aria-hidden="true">
        {parts !== null && PARTS.map(({ key }) => (
          <i key={key} class={`stack-part ${key}`} style={{ width: `${(parts[key] / parts.total) * 100}%` }} />
        ))}
      </div>
      <dl class="shares">
        {parts !== null && PARTS.map(({ key, label, hint }) => (
          <div key={key} class="share" title={`${hint}\n${exactBytes(parts[key])}`}>
            <dt><i class={`swatch ${key}`} aria-hidden="true" />{label}</dt>
            <dd>{bytes(parts[key])}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
