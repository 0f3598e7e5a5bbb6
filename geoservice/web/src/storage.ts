/** What the browser remembers. Storage may be switched off; the map then works without memory. */

/** A remembered text, for good (`localStorage`) or for this tab (`sessionStorage`). */
export function recall(key: string, scope: StorageScope = 'browser'): string | null {
  try {
    return storageOf(scope).getItem(key);
  } catch {
    return null;
  }
}

/** Remembers a text; null forgets it. */
export function remember(key: string, text: string | null, scope: StorageScope = 'browser'): void {
  try {
    if (text === null) storageOf(scope).removeItem(key);
    else storageOf(scope).setItem(key, text);
  } catch {
    // Nothing to do: the choice lasts until the page is closed.
  }
}

export type StorageScope = 'browser' | 'tab';

function storageOf(scope: StorageScope): Storage {
  return scope === 'tab' ? window.sessionStorage : window.localStorage;
}
