/** The start and the numbered results of a search on the map. */

import { type LngLat, LngLatBounds, type Map as CityMap, Marker } from 'maplibre-gl';
import { element } from './dom.ts';
import { t } from './i18n.ts';
import { positionOf } from './live.ts';
import type { AvailabilityFeature } from './types.ts';

const FIT_MAX_ZOOM = 16;

export class NearestMarkers {
  readonly #map: CityMap;
  readonly #open: (index: number) => void;
  #markers: Marker[] = [];

  /**
   * Args:
   *   open: Called with the index of a result whose marker was clicked.
   */
  constructor(map: CityMap, open: (index: number) => void) {
    this.#map = map;
    this.#open = open;
  }

  /** Replaces all markers; without a start there are none. */
  show(origin: LngLat | null, results: AvailabilityFeature[]): void {
    for (const marker of this.#markers) marker.remove();
    this.#markers = [];
    if (!origin) return;
    const start = new Marker({ element: originElement(), anchor: 'center' }).setLngLat(origin);
    const numbered = results.map((result, index) =>
      new Marker({ element: this.#resultElement(result, index), anchor: 'bottom' }).setLngLat(
        positionOf(result),
      ),
    );
    // The nearest comes last, so that it lies on top where markers overlap.
    this.#markers = [start, ...numbered.reverse()];
    for (const marker of this.#markers) marker.addTo(this.#map);
  }

  /** Moves the map so that the start and all results are in view. */
  fit(origin: LngLat, results: AvailabilityFeature[]): void {
    const bounds = new LngLatBounds(origin, origin);
    for (const result of results) bounds.extend(positionOf(result));
    const current = this.#map.getBounds();
    if (current.contains(bounds.getNorthEast()) && current.contains(bounds.getSouthWest())) return;
    this.#map.fitBounds(bounds, { padding: 80, maxZoom: FIT_MAX_ZOOM });
  }

  /** Makes the marker of a result stand out; null makes none. */
  emphasise(index: number | null): void {
    for (const marker of this.#markers) {
      const rank = marker.getElement().dataset['index'];
      marker.getElement().classList.toggle('emphasised', rank === String(index));
    }
  }

  #resultElement({ properties }: AvailabilityFeature, index: number): HTMLElement {
    const name = properties.name ?? t('unnamed');
    const label = t('resultMarker', { rank: index + 1, name });
    const onclick = (event: Event) => {
      event.stopPropagation();
      this.#open(index);
    };
    const attributes = { type: 'button', class: 'result-marker', 'data-index': index, onclick };
    const bubble = element('span', {}, String(index + 1));
    return element('button', { ...attributes, 'aria-label': label, title: name }, bubble);
  }
}

function originElement(): HTMLElement {
  return element('div', { class: 'origin-marker', role: 'img', 'aria-label': t('origin') });
}
