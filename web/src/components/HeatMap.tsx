// Many CPUs at once: one line per CPU, time from left to right, the busier the stronger. The canvas has one pixel
// per CPU and second and is stretched by the browser, so 256 CPUs cost no more than a small picture.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { GRAPH_SPAN_SECONDS } from "../state/app";
import { clockTime, headlinePercent } from "../state/format";
import type { History } from "../state/history";
import { usePage } from "./context";
import { rgb } from "./palette";

/** Colours for 0–100 %, from quiet over busy to full. */
function ramp(): Uint8ClampedArray {
  const stops = [rgb("--heat-0"), rgb("--heat-1"), rgb("--heat-2")] as const;
  const table = new Uint8ClampedArray(101 * 3);
  for (let percent = 0; percent <= 100; percent++) {
    const [from, to] = percent < 50 ? [stops[0], stops[1]] : [stops[1], stops[2]];
    const part = (percent % 50) / 50 + (percent === 100 ? 1 : 0);
    for (let i = 0; i < 3; i++) table[percent * 3 + i] = (from[i] ?? 0) + ((to[i] ?? 0) - (from[i] ?? 0)) * part;
  }
  return table;
}

function draw(canvas: HTMLCanvasElement, history: History): void {
  const [times, ...cpus] = history.points;
  const context = canvas.getContext("2d");
  const newest = history.newest;
  if (context === null || newest === null || cpus.length === 0) return;
  canvas.width = GRAPH_SPAN_SECONDS;
  canvas.height = cpus.length;
  const image = context.createImageData(GRAPH_SPAN_SECONDS, cpus.length);
  const colors = ramp();
  times.forEach((time, at) => {
    const x = GRAPH_SPAN_SECONDS - 1 - Math.round(newest - time);
    if (x < 0) return;
    cpus.forEach((values, y) => {
      const value = values[at];
      if (value == null) return;
      const from = Math.round(Math.max(0, Math.min(100, value))) * 3;
      image.data.set([colors[from] ?? 0, colors[from + 1] ?? 0, colors[from + 2] ?? 0, 255], (y * GRAPH_SPAN_SECONDS + x) * 4);
    });
  });
  context.putImageData(image, 0, 0);
}

export function HeatMap({ history, label }: { history: History; label: string }) {
  const { app, theme } = usePage();
  const canvas = useRef<HTMLCanvasElement>(null);
  const readout = useSignal<string | null>(null);
  useSignalEffect(() => {
    const newest = app.coreHistory.value;
    void newest.changes.value;
    void theme.theme.value;
    if (canvas.current !== null) draw(canvas.current, newest);
  });

  function onMove(event: MouseEvent & { currentTarget: HTMLElement }): void {
    const box = event.currentTarget.getBoundingClientRect();
    const index = Math.floor(((event.clientY - box.top) / box.height) * history.series);
    const newest = history.newest ?? 0;
    const time = newest - (1 - (event.clientX - box.left) / box.width) * GRAPH_SPAN_SECONDS;
    const at = history.points[0].findIndex((sampled) => Math.abs(sampled - time) < 0.75);
    const value = history.points[index + 1]?.[at] ?? null;
    const num = app.cpus.value[index]?.num;
    readout.value = num === undefined ? null : `${clockTime(time * 1000)}   CPU ${num} ${headlinePercent(value)}`;
  }

  const cpus = app.cpus.value;
  return (
    <div class="heat">
      <div class="heat-axis" aria-hidden="true">
        <span>{cpus[0]?.num}</span>
        <span>{cpus.at(-1)?.num}</span>
      </div>
      <canvas ref={canvas} role="img" aria-label={label} tabIndex={0} onMouseMove={onMove} onMouseLeave={() => (readout.value = null)} />
      <div class="heat-legend" aria-hidden="true"><span>100 %</span><i /><span>0 %</span></div>
      <div class="readout">{readout.value}</div>
    </div>
  );
}
