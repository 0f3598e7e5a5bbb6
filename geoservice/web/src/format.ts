/** Numbers, times and distances as the reader writes them. */

import { locale, t } from './i18n.ts';
import type { Interval } from './types.ts';

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86400;

let timeZone: string | undefined;

/** The city's time zone (IANA name); until it is known the browser's own is used. */
export function setTimeZone(name: string | undefined): void {
  timeZone = name;
}

/** A number with its digits grouped, without inventing or hiding decimals up to 6. */
export function formatNumber(value: number): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: 6 }).format(value);
}

/** An instant in the city's time zone; the text itself where it is no instant. */
export function formatInstant(text: string): string {
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime())) return text;
  return new Intl.DateTimeFormat(locale(), {
    dateStyle: 'medium',
    timeStyle: 'short',
    ...(timeZone && { timeZone }),
  }).format(instant);
}

/** A day (`2015-06-30`) as the reader writes it. */
export function formatDay(day: string): string {
  const format = new Intl.DateTimeFormat(locale(), { dateStyle: 'long', timeZone: 'UTC' });
  return format.format(new Date(`${day}T00:00:00Z`));
}

/** The time of day of an instant (milliseconds since 1970), to the second. */
export function formatClock(instant_ms: number): string {
  return new Intl.DateTimeFormat(locale(), {
    timeStyle: 'medium',
    ...(timeZone && { timeZone }),
  }).format(new Date(instant_ms));
}

/** The instant of a local time of the city, as a form writes it (`2026-03-01T19:00`). */
export function cityInstant(local: string): Date | null {
  const asUtc = Date.parse(`${local}Z`);
  if (Number.isNaN(asUtc)) return null;
  return new Date(asUtc - zoneOffset(asUtc));
}

/** Milliseconds by which the city's clock is ahead of UTC at an instant. */
function zoneOffset(instant_ms: number): number {
  const format = new Intl.DateTimeFormat('en-US', {
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    ...(timeZone && { timeZone }),
  });
  const parts = Object.fromEntries(
    format.formatToParts(instant_ms).map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - instant_ms;
}

/** A half-open interval: `since ...`, `... – ...`, `until ...`. */
export function formatInterval([start, end]: Interval): string {
  if (start && end) return `${formatInstant(start)} – ${formatInstant(end)}`;
  if (start) return t('since', { start: formatInstant(start) });
  return end ? t('until', { end: formatInstant(end) }) : t('always');
}

/** How long ago something was, in the largest unit that fits, rounded down. */
export function formatAge(age_s: number): string {
  const age = Math.max(0, age_s);
  if (age < 5) return t('justNow');
  if (age < MINUTE_S) return t('secondsAgo', { count: Math.floor(age) });
  if (age < HOUR_S) return t('minutesAgo', { count: Math.floor(age / MINUTE_S) });
  if (age < DAY_S) return t('hoursAgo', { count: Math.floor(age / HOUR_S) });
  return t('daysAgo', { count: Math.floor(age / DAY_S) });
}

/** Metres below one kilometre, else kilometres with one decimal. */
export function formatDistance(distance_m: number): string {
  if (distance_m < 1000) return t('metres', { count: Math.round(distance_m) });
  return t('kilometres', { count: formatNumber(Math.round(distance_m / 100) / 10) });
}

/** Degrees to six decimals: about 0.1 m, finer than a pointer can be. */
export function formatDegrees(degrees: number): string {
  return degrees.toFixed(6);
}

/** A size in the largest decimal unit that fits, with one decimal above bytes. */
export function formatBytes(bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return new Intl.NumberFormat(locale(), {
    style: 'unit',
    unit: units[step] ?? 'byte',
    maximumFractionDigits: step === 0 ? 0 : 1,
  }).format(bytes / 1000 ** step);
}
