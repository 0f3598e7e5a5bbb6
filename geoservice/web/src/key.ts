/**
 * The access key of this tab.
 *
 * It comes from the address (`#key=`) or the key box, lives in `sessionStorage` only and leaves
 * this page only as a bearer token to its own origin.
 */

import { splitKey } from './fragment.ts';
import { recall, remember } from './storage.ts';

const KEY = 'geoservice.key';
const REFUSED = 'geoservice.key-refused';

let current: string | null = null;

/** Whether a text may be a bearer token (RFC 6750, `b68token`): anything else breaks the header. */
export function isToken(text: string): boolean {
  return /^[\w.~+/-]+=*$/.test(text);
}

export function currentKey(): string | null {
  return current;
}

/** Keeps a key for this tab; null forgets it. */
export function keepKey(key: string | null): void {
  current = key;
  remember(KEY, key, 'tab');
}

/**
 * Moves a key from the address bar into this tab, so it is neither shown, shared nor kept in the
 * history. A malformed one is treated like a refused one.
 *
 * Returns: Whether the address held a key.
 */
export function takeKeyFromAddress(): boolean {
  const { key, rest } = splitKey(location.hash);
  if (key === null) return false;
  history.replaceState(history.state, '', `${location.pathname}${location.search}${rest}`);
  if (isToken(key)) keepKey(key);
  else refuseKey();
  return true;
}

/** Takes the key of this tab: from the address, else as it was kept. */
export function startKey(): void {
  if (!takeKeyFromAddress()) current = recall(KEY, 'tab');
}

/** Forgets a key that the service refused, and leaves word for the reader. */
export function refuseKey(): void {
  keepKey(null);
  remember(REFUSED, 'yes', 'tab');
}

/** Whether a key was refused since this was last asked. */
export function wasKeyRefused(): boolean {
  const refused = recall(REFUSED, 'tab') !== null;
  remember(REFUSED, null, 'tab');
  return refused;
}
