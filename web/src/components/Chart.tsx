// A live graph: uPlot draws the newest minute of a history, the mouse or the arrow keys read single instants off
// it, and all graphs with a cursor show the same instant.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { GRAPH_SPAN_SECONDS } from "../state/app";
import { clockTime } from "../state/format";
import type { History } from "../state/history";
import { usePage } from "./context";
import { color } from "./palette";

export interface ChartSeries {
  /** Which series of the history. */
  index: number;
  label: string;
  /** CSS variables. */
  stroke: string;
  fill?: boolean;
  dash?: number[];
}

interface Props {
  history: History;
  series: readonly ChartSeries[];
  /** States what is drawn and its current value. */
  label: string;
  format: (value: number | null) => string;
  /** As short as a number on the scale has to be. */
  axis?: (value: number | null) => string;
  /** Distances that the marks on the scale may have. */
  steps?: number[];
  /** No room for the times. */
  timeless?: boolean;
  /** Top of the scale; without it the largest value decides. */
  most?: number;
  /** A small multiple: no axes, no cursor. */
  compact?: boolean;
}

const CURSOR_GROUP = "psio";
const LABEL_HALF_WIDTH = 22;
const FONT = "10px system-ui, sans-serif";

function pick(history: History, series: readonly ChartSeries[]): uPlot.AlignedData {
  const [times, ...values] = history.points;
  return [times.slice(), ...series.map(({ index }) => values[index]?.slice() ?? [])];
}

/** `#rrggbb` fading to nothing at the bottom of the graph. */
function fade(plot: uPlot, variable: string): CanvasGradient {
  const gradient = plot.ctx.createLinearGradient(0, plot.bbox.top, 0, plot.bbox.top + plot.bbox.height);
  gradient.addColorStop(0, `${color(variable)}66`);
  gradient.addColorStop(1, `${color(variable)}12`);
  return gradient;
}

/** Half of a time does not tell which it is. */
function atEdge(plot: uPlot, time: number): boolean {
  const x = plot.valToPos(time, "x");
  // Not clientWidth: that would lay the whole page out in the middle of drawing.
  return x < LABEL_HALF_WIDTH || x > plot.bbox.width / uPlot.pxRatio - LABEL_HALF_WIDTH;
}

function axes({ format, axis = format, steps, compact, timeless }: Props): uPlot.Axis[] {
  if (compact === true) return [{ show: false }, { show: false }];
  const stroke = () => color("--muted");
  const grid = { stroke: () => color("--grid"), width: 1 };
  return [
    {
      stroke, grid, font: FONT, size: timeless === true ? 4 : 18, gap: 2, space: 60, ticks: { show: false },
      incrs: [15, 30, 60],
      values: (plot, times) => times.map((time) => (timeless === true || atEdge(plot, time) ? "" : clockTime(time * 1000))),
    },
    {
      stroke, grid, font: FONT, size: 36, gap: 4, space: 30, ticks: { show: false },
      values: (_plot, values) => values.map((value) => axis(value)),
      ...(steps === undefined ? {} : { incrs: steps }),
    },
  ];
}

function plotOptions(props: Props, width: number, height: number, onCursor: (plot: uPlot) => void): uPlot.Options {
  const { most, compact } = props;
  return {
    width,
    height,
    padding: compact === true ? [1, 0, 0, 0] : [6, 6, 0, 0],
    legend: { show: false },
    cursor: compact === true
      ? { show: false }
      : { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: CURSOR_GROUP } },
    scales: {
      x: { time: true, range: (_plot, _least, newest) => [newest - GRAPH_SPAN_SECONDS, newest] },
      y: { range: (_plot, _least, largest) => [0, most ?? Math.max(1, (largest ?? 0) * 1.15)] },
    },
    axes: axes(props),
    series: [
      {},
      ...props.series.map(({ label, stroke, fill, dash }): uPlot.Series => ({
        label,
        stroke: () => color(stroke),
        width: compact === true ? 1.25 : 1.5,
        points: { show: false },
        ...(fill === true ? { fill: (plot: uPlot) => fade(plot, stroke) } : {}),
        ...(dash === undefined ? {} : { dash }),
      })),
    ],
    hooks: { setCursor: [onCursor] },
  };
}

/** `14:03:22  usage 37 %  system 8 %` at the cursor. */
function readAt(plot: uPlot, { series, format }: Props): string | null {
  const index = plot.cursor.idx;
  const time = index == null ? undefined : plot.data[0][index];
  if (index == null || time === undefined) return null;
  const values = series.map(({ label }, i) => `${label} ${format(plot.data[i + 1]?.[index] ?? null)}`);
  return [clockTime(time * 1000), ...values].join("   ");
}

export function Chart(props: Props) {
  const { history, label, compact } = props;
  const { theme } = usePage();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const readout = useSignal<string | null>(null);
  const byKeyboard = useSignal(false);

  useLayoutEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const made = new uPlot(
      plotOptions(props, element.clientWidth, element.clientHeight, (current) => (readout.value = readAt(current, props))),
      pick(history, props.series),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // A different history is a different graph; the other properties never change while it lives.
  }, [history]);

  useSignalEffect(() => {
    void history.changes.value;
    void theme.theme.value;
    plot.current?.setData(pick(history, props.series));
  });

  function onKeyDown(event: KeyboardEvent): void {
    const current = plot.current;
    if (current === null || compact === true) return;
    const times = current.data[0];
    const step = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (step === 0 || times.length === 0) return;
    event.preventDefault();
    byKeyboard.value = true;
    const from = current.cursor.idx ?? times.length;
    const time = times[Math.max(0, Math.min(times.length - 1, from + step))];
    if (time !== undefined) current.setCursor({ left: current.valToPos(time, "x"), top: 1 });
  }

  function onBlur(): void {
    byKeyboard.value = false;
    plot.current?.setCursor({ left: -10, top: -10 });
  }

  if (compact === true) return <div ref={host} class="chart compact" aria-hidden="true" />;
  return (
    <div class="chart-frame">
      <div ref={host} class="chart" role="img" aria-label={label} tabIndex={0} onKeyDown={onKeyDown} onBlur={onBlur} />
      <div class="readout" aria-live={byKeyboard.value ? "polite" : "off"}>{readout.value}</div>
    </div>
  );
}
