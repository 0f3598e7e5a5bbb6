/** Days of the city's calendar and the instants they stand for. */

/** Noon of a day (`2015-06-30`) in a time zone, as an RFC 3339 instant in UTC. */
export function noonOf(date: string, timeZone: string | undefined): string {
  const asUtc = Date.parse(`${date}T12:00:00Z`);
  const instant = new Date(asUtc - offset_ms(asUtc, timeZone));
  return instant.toISOString().replace('.000', '');
}

/** The day of an instant in a time zone, as `2015-06-30`. */
export function dayOf(instant: Date, timeZone: string | undefined): string {
  const { year, month, day } = partsOf(instant, timeZone);
  return `${year}-${month}-${day}`;
}

/** The first day of a month, counted from the first month of a year. */
export function firstDayOf(month: number, since_year: number): string {
  const year = since_year + Math.floor(month / 12);
  return `${year}-${String((month % 12) + 1).padStart(2, '0')}-01`;
}

/** How many months a day lies after the first month of a year. */
export function monthOf(date: string, since_year: number): number {
  const [year = since_year, month = 1] = date.split('-').map(Number);
  return (year - since_year) * 12 + month - 1;
}

/** How far the clocks of a zone are ahead of UTC at an instant. */
function offset_ms(instant_ms: number, timeZone: string | undefined): number {
  const { year, month, day, hour, minute } = partsOf(new Date(instant_ms), timeZone);
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:00Z`) - instant_ms;
}

function partsOf(instant: Date, timeZone: string | undefined): Record<string, string> {
  const format = new Intl.DateTimeFormat('en-GB', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    ...(timeZone && { timeZone }),
  });
  return Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
}
