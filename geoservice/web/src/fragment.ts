/**
 * The fragment of the address: `#map=zoom/lat/lon&look=night&datetime=...&key=...`.
 *
 * MapLibre keeps `map` there itself; `key` is taken out as soon as it is seen. Slashes and colons
 * stay readable, so a position or an instant can be read and edited by hand.
 */

/** A fragment without its key, and the key it held. */
export interface SplitFragment {
  key: string | null;
  /** Empty, or `#` and what remains. */
  rest: string;
}

/** Takes the key out of a fragment; every other part stays as it was written. */
export function splitKey(fragment: string): SplitFragment {
  const parts = partsOf(fragment);
  const keyParts = parts.filter((part) => part.startsWith('key='));
  const rest = parts.filter((part) => !part.startsWith('key=')).join('&');
  const written = keyParts.at(-1)?.slice('key='.length) ?? '';
  return { key: decode(written).trim() || null, rest: rest ? `#${rest}` : '' };
}

/** A part of a fragment; null where it has none of that name. */
export function partOf(fragment: string, name: string): string | null {
  const part = partsOf(fragment).findLast((one) => one.startsWith(`${name}=`));
  return part === undefined ? null : decode(part.slice(name.length + 1));
}

/** A fragment with one part set anew, or without it; every other part stays as it was written. */
export function withPart(fragment: string, name: string, value: string | null): string {
  const others = partsOf(fragment).filter((one) => !one.startsWith(`${name}=`));
  if (value !== null) others.push(`${name}=${encodeURIComponent(value).replaceAll('%3A', ':')}`);
  return others.length > 0 ? `#${others.join('&')}` : '';
}

function partsOf(fragment: string): string[] {
  return fragment.replace(/^#/, '').split('&').filter(Boolean);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
