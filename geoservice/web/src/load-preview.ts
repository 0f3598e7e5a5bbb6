/** The files of a load on the map, before anything is loaded: accepted rows and rejected ones. */

import type { Map as CityMap } from 'maplibre-gl';
import type { LoadPreview } from './load-types.ts';
import { freePadding } from './map-view.ts';

const SOURCE = 'geoservice-load';
const LAYER = 'preview';
export const ACCEPTED_COLOR = '#0a7d5a';
export const REJECTED_COLOR = '#d2251b';
const CLOSE_ZOOM = 17;

type Filter = ['==', ['geometry-type'], 'Point' | 'Polygon'];
type Color = ['case', ['get', 'accepted'], string, string];

export class PreviewOnMap {
  readonly #map: CityMap;

  constructor(map: CityMap) {
    this.#map = map;
  }

  get isShown(): boolean {
    return this.#map.getSource(SOURCE) !== undefined;
  }

  /** Draws a preview above all layers, and moves the map to it. */
  show({ tiles, maxzoom, bounds }: LoadPreview): void {
    this.hide();
    this.#map.addSource(SOURCE, { type: 'vector', tiles, minzoom: 0, maxzoom });
    this.#addLayers();
    if (!bounds) return;
    const padding = freePadding(this.#map.getContainer());
    this.#map.fitBounds(bounds, { padding, maxZoom: CLOSE_ZOOM });
  }

  hide(): void {
    if (!this.isShown) return;
    for (const part of ['fill', 'line', 'point']) this.#map.removeLayer(`${SOURCE}-${part}`);
    this.#map.removeSource(SOURCE);
  }

  #addLayers(): void {
    const of = { source: SOURCE, 'source-layer': LAYER };
    const only = (kind: 'Point' | 'Polygon'): Filter => ['==', ['geometry-type'], kind];
    const color: Color = ['case', ['get', 'accepted'], ACCEPTED_COLOR, REJECTED_COLOR];
    this.#map.addLayer({
      id: `${SOURCE}-fill`,
      type: 'fill',
      ...of,
      filter: only('Polygon'),
      paint: { 'fill-color': color, 'fill-opacity': 0.3 },
    });
    this.#map.addLayer({
      id: `${SOURCE}-line`,
      type: 'line',
      ...of,
      paint: { 'line-color': color, 'line-width': 3 },
    });
    this.#map.addLayer({
      id: `${SOURCE}-point`,
      type: 'circle',
      ...of,
      filter: only('Point'),
      paint: {
        'circle-color': color,
        'circle-radius': 6,
        'circle-stroke-color': '#ffffff',
        'circle-stroke-width': 1.5,
      },
    });
  }
}
