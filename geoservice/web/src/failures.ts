/** What the map does about requests that fail, and about a key that is refused on the way. */

import type { ErrorEvent, Map as CityMap, Tile } from 'maplibre-gl';
import { VectorTileSource } from 'maplibre-gl';
import { isAbort, isServiceReady, reasonOf, statusOf } from './api.ts';
import { type Catalogue, layerTitle } from './catalogue.ts';
import { listOf, t } from './i18n.ts';
import { currentKey, refuseKey } from './key.ts';
import { dismissNotice, showNotice, showProgress } from './notices.ts';

const FIRST_RETRY_MS = 3_000;
const LAST_RETRY_MS = 60_000;

type TilePlace = NonNullable<Parameters<CityMap['refreshTiles']>[1]>[number];

interface Failure {
  error: unknown;
  /** The tiles that failed; none where the source itself could not be read. */
  tiles: TilePlace[];
}

/** What failed of each source and has not been loaded again since. */
const failed = new Map<string, Failure>();
let retryTimer = 0;
let retry_ms = FIRST_RETRY_MS;

/** Tells of tiles on their way and of layers that cannot be loaded. */
export function watchFailures(map: CityMap, catalogue: Catalogue): void {
  map.on('dataloading', () => showProgress(true));
  map.on('idle', () => showProgress(false));
  map.on('error', (event) => report(map, catalogue, event));
  window.addEventListener('online', () => void retryWhenReady(map));
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
  const { sourceId, tile } = event as ErrorEvent & { sourceId?: string; tile?: Tile };
  if (sourceId === undefined) {
    showNotice('map', { text: () => t('mapFailed', { reason: reasonOf(event.error) }) });
    return;
  }
  const tiles = failed.get(sourceId)?.tiles ?? [];
  if (tile) tiles.push(tile.tileID.canonical);
  failed.set(sourceId, { error: event.error, tiles });
  showNotice('layers', { text: () => failureText(catalogue), retry: () => reload(map) });
  scheduleRetry(map);
}

/** Tries again later and later, until the layers are there: no reader has to watch for that. */
function scheduleRetry(map: CityMap): void {
  window.clearTimeout(retryTimer);
  retryTimer = window.setTimeout(() => void retryWhenReady(map), retry_ms);
}

async function retryWhenReady(map: CityMap): Promise<void> {
  if (failed.size === 0) return;
  retry_ms = Math.min(2 * retry_ms, LAST_RETRY_MS);
  if (await isServiceReady()) reload(map);
  else scheduleRetry(map);
}

/** All layers that failed, in one notice: a service that is away fails all of them at once. */
function failureText(catalogue: Catalogue): string {
  const layers = listOf([...failed.keys()].map((source) => layerTitle(catalogue, source)));
  return t('layersFailed', { layers, reason: reasonOf([...failed.values()].at(-1)?.error) });
}

/** Fetches again what failed; what fails once more is told once more. */
function reload(map: CityMap): void {
  const failures = [...failed];
  failed.clear();
  dismissNotice('layers');
  for (const [id, { tiles }] of failures) {
    const source = map.getSource(id);
    if (tiles.length > 0) map.refreshTiles(id, tiles);
    else if (source instanceof VectorTileSource && source.url) source.setUrl(source.url);
  }
  map.once('idle', () => {
    if (failed.size === 0) retry_ms = FIRST_RETRY_MS;
  });
}
