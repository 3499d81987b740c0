// Numbers into text. What is not known is an en dash, never 0, and every unit is written out.

export const UNKNOWN = "–";

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Three significant figures and a binary unit: `68.8 MiB`. */
export function bytes(value: number | null): string {
  if (value === null) return UNKNOWN;
  let scaled = value;
  let unit = 0;
  // 1023.6 KiB would print as 1024 KiB: such a value moves on to the next unit.
  while (scaled >= 999.5 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** `12,345 bytes`, for a tooltip. */
export function exactBytes(value: number | null): string {
  return value === null ? UNKNOWN : `${grouped(value)} bytes`;
}

/** One decimal, no sign: for a column whose head says %. */
export function percent(value: number | null): string {
  return value === null ? UNKNOWN : value.toFixed(1);
}

/** A headline: `7.3 %` below ten, else `42 %`. */
export function headlinePercent(value: number | null): string {
  if (value === null) return `${UNKNOWN} %`;
  return `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)} %`;
}

/** `40 %`, for a scale. */
export function wholePercent(value: number | null): string {
  return value === null ? UNKNOWN : `${value.toFixed(0)} %`;
}

export function integer(value: number | null): string {
  return value === null ? UNKNOWN : String(value);
}

/** `5,031` */
export function grouped(value: number | null): string {
  return value === null ? UNKNOWN : value.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ",");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** CPU time: `1:26.30`, from an hour on `3:07:15`, from a day on `2 d 03:07`. */
export function cpuTime(seconds: number | null): string {
  if (seconds === null) return UNKNOWN;
  if (seconds >= 86_400) {
    const minutes = Math.floor(seconds / 60);
    return `${Math.floor(minutes / 1440)} d ${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}`;
  }
  if (seconds >= 3600) {
    const whole = Math.floor(seconds);
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  }
  const hundredths = Math.floor(seconds * 100 + 1e-6);
  return `${Math.floor(hundredths / 6000)}:${two(Math.floor(hundredths / 100) % 60)}.${two(hundredths % 100)}`;
}

/** The two largest units: `12 d 4 h`, `4 h 7 min`, `7 min 12 s`, `12 s`. */
export function duration(seconds: number | null): string {
  if (seconds === null) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86_400);
  const hours = Math.floor(whole / 3600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

function sameDay(a: Date, b: Date): boolean {
  return a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate();
}

/** When a process started, as short as it can be said now: `14:03:22`, `22 Nov 14:03`, `2024-11-22`. */
export function started(epochSeconds: number | null, nowMs: number): string {
  if (epochSeconds === null) return UNKNOWN;
  const then = new Date(epochSeconds * 1000);
  const now = new Date(nowMs);
  const clock = `${two(then.getHours())}:${two(then.getMinutes())}`;
  if (sameDay(then, now)) return `${clock}:${two(then.getSeconds())}`;
  if (then.getFullYear() === now.getFullYear()) return `${then.getDate()} ${MONTHS[then.getMonth()] ?? ""} ${clock}`;
  return isoDate(then);
}

function isoDate(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `2026-11-22 14:03:22`, local time. */
export function dateTime(epochMs: number | null): string {
  if (epochMs === null) return UNKNOWN;
  const date = new Date(epochMs);
  return `${isoDate(date)} ${clockTime(epochMs)}`;
}

/** `14:03:22`, local time. */
export function clockTime(epochMs: number): string {
  const date = new Date(epochMs);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
