/** What the map does about requests that fail, and about a key that is refused on the way. */

import type { ErrorEvent, Map as CityMap } from 'maplibre-gl';
import { VectorTileSource } from 'maplibre-gl';
import { isAbort, reasonOf, statusOf } from './api.ts';
import { type Catalogue, layerTitle } from './catalogue.ts';
import { listOf, t } from './i18n.ts';
import { currentKey, refuseKey } from './key.ts';
import { showNotice, showProgress } from './notices.ts';

/** The last error of each source whose failure the reader has not dismissed. */
const failed = new Map<string, unknown>();

/** Tells of tiles on their way and of layers that cannot be loaded. */
export function watchFailures(map: CityMap, catalogue: Catalogue): void {
  map.on('dataloading', () => showProgress(true));
  map.on('idle', () => showProgress(false));
  map.on('error', (event) => report(map, catalogue, event));
}

/**
 * A key that the service no longer takes is forgotten and the page starts again as the public, so
 * that nothing read with it stays on the screen.
 *
 * Returns: Whether `error` was such a refusal.
 */
export function leaveOnRefusal(error: unknown): boolean {
  if (statusOf(error) !== 401 || currentKey() === null) return false;
  refuseKey();
  location.reload();
  return true;
}

function report(map: CityMap, catalogue: Catalogue, event: ErrorEvent): void {
  if (isAbort(event.error) || leaveOnRefusal(event.error)) return;
  const source = (event as { sourceId?: string }).sourceId;
  if (source === undefined) {
    showNotice('map', { text: () => t('mapFailed', { reason: reasonOf(event.error) }) });
    return;
  }
  failed.set(source, event.error);
  showNotice('layers', {
    text: () => failureText(catalogue),
    retry: () => reload(map),
    dismissed: () => failed.clear(),
  });
}

/** All layers that failed, in one notice: a service that is away fails all of them at once. */
function failureText(catalogue: Catalogue): string {
  const layers = listOf([...failed.keys()].map((source) => layerTitle(catalogue, source)));
  return t('layersFailed', { layers, reason: reasonOf([...failed.values()].at(-1)) });
}

/** Fetches the TileJSON and the tiles of the failed layers again. */
function reload(map: CityMap): void {
  for (const source of failed.keys()) {
    const tiles = map.getSource(source);
    if (tiles instanceof VectorTileSource && tiles.url) tiles.setUrl(tiles.url);
  }
}
