/**
 * The fragment of the address: `#map=zoom/lat/lon&key=...`.
 *
 * MapLibre keeps `map` there itself; `key` is taken out as soon as it is seen. Slashes stay
 * readable, so a position can be read and edited by hand.
 */

/** A fragment without its key, and the key it held. */
export interface SplitFragment {
  key: string | null;
  /** Empty, or `#` and what remains. */
  rest: string;
}

/** Takes the key out of a fragment; every other part stays as it was written. */
export function splitKey(fragment: string): SplitFragment {
  const parts = fragment.replace(/^#/, '').split('&').filter(Boolean);
  const keyParts = parts.filter((part) => part.startsWith('key='));
  const rest = parts.filter((part) => !part.startsWith('key=')).join('&');
  const written = keyParts.at(-1)?.slice('key='.length) ?? '';
  return { key: decode(written).trim() || null, rest: rest ? `#${rest}` : '' };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
