/** How the map looks and of when it is: read from the address, else as the reader left it. */

import { partOf, withPart } from './fragment.ts';
import { recall, remember } from './storage.ts';

export const LOOKS = ['day', 'night', 'print'] as const;

export type Look = (typeof LOOKS)[number];

export interface Choice {
  look: Look;
  /** RFC 3339 instant of valid time; null is now. */
  instant: string | null;
}

const STORAGE_KEY = 'geoservice.look';

/** The choice that a fragment makes; what it does not say, or says wrongly, is as remembered. */
export function readChoice(fragment: string, remembered: string | null): Choice {
  const look = lookOf(partOf(fragment, 'look')) ?? lookOf(remembered) ?? 'day';
  const said = partOf(fragment, 'datetime');
  const instant = said === null || Number.isNaN(Date.parse(said)) ? null : said;
  return { look, instant };
}

/** The choice of this page's address. */
export function currentChoice(): Choice {
  return readChoice(location.hash, recall(STORAGE_KEY));
}

/** Writes a choice into the address, so that it can be shared, and remembers the look. */
export function keepChoice({ look, instant }: Choice): void {
  const shown = withPart(location.hash, 'look', look === 'day' ? null : look);
  const fragment = withPart(shown, 'datetime', instant);
  history.replaceState(history.state, '', `${location.pathname}${location.search}${fragment}`);
  remember(STORAGE_KEY, look);
}

/** Whether live figures belong on such a map: they are of now, and paper cannot change. */
export function showsLive({ look, instant }: Choice): boolean {
  return instant === null && look !== 'print';
}

function lookOf(text: string | null): Look | undefined {
  return LOOKS.find((look) => look === text);
}
