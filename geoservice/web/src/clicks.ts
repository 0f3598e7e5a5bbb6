/** Clicks on the map: usually a question about the place, sometimes the answer to «where?». */

import type { LngLat, Map as CityMap, MapMouseEvent, Point } from 'maplibre-gl';
import type { Catalogue } from './catalogue.ts';
import { clusterAt, hitsAt } from './hits.ts';

/** How far a click on a cluster zooms in. */
const CLUSTER_STEP = 2;

export interface Clicks {
  /** The place of the next click; null if Escape is pressed or another one is asked for. */
  pickPlace(): Promise<LngLat | null>;
}

/**
 * Calls `ask` for each click, and for Enter on the focused map with its centre.
 * The cursor shows where a click would find something.
 */
export function createClicks(
  map: CityMap,
  catalogue: Catalogue,
  ask: (point: Point) => void,
): Clicks {
  let answer: ((place: LngLat | null) => void) | null = null;
  const settle = (place: LngLat | null) => {
    answer?.(place);
    answer = null;
    map.getCanvas().classList.remove('picking');
  };
  const look = (point: Point) => {
    const cluster = clusterAt(map, point);
    if (cluster) map.easeTo({ center: cluster, zoom: map.getZoom() + CLUSTER_STEP });
    else ask(point);
  };
  const click = (point: Point, place: LngLat) => (answer ? settle(place) : look(point));
  map.on('click', ({ point, lngLat }) => click(point, lngLat));
  map.getCanvas().addEventListener('keydown', (event) => {
    if (event.key === 'Enter') click(map.project(map.getCenter()), map.getCenter());
  });
  document.addEventListener('keydown', (event) => event.key === 'Escape' && settle(null));
  showWhatIsClickable(map, catalogue);
  return {
    pickPlace() {
      settle(null);
      map.getCanvas().classList.add('picking');
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
  };
}

/** Looks under the pointer at most once a frame, and not while the map moves. */
function showWhatIsClickable(map: CityMap, catalogue: Catalogue): void {
  let latest: MapMouseEvent | null = null;
  const look = () => {
    if (latest && !map.isMoving()) {
      const { point } = latest;
      const found = hitsAt(map, catalogue, point).length > 0 || clusterAt(map, point) !== null;
      map.getCanvas().classList.toggle('clickable', found);
    }
    latest = null;
  };
  map.on('mousemove', (event) => {
    if (!latest) requestAnimationFrame(look);
    latest = event;
  });
}
