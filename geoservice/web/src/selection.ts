/** Drawing the chosen feature above all others. */

import type { FeatureCollection, Geometry } from 'geojson';
import type { GeoJSONSource, Map as CityMap } from 'maplibre-gl';

const SOURCE = 'geoservice-selection';
const HALO = '#ffd60a';
const CORE = '#1b1b1b';

export interface Selection {
  /** Draws a geometry as chosen; null draws nothing. */
  show(geometry: Geometry | null): void;
}

export function createSelection(map: CityMap): Selection {
  const nothing: FeatureCollection = { type: 'FeatureCollection', features: [] };
  map.once('style.load', () => {
    map.addSource(SOURCE, { type: 'geojson', data: nothing });
    addSelectionLayers(map);
  });
  return {
    show(geometry) {
      const source = map.getSource<GeoJSONSource>(SOURCE);
      void source?.setData(geometry ? { type: 'Feature', geometry, properties: {} } : nothing);
    },
  };
}

function addSelectionLayers(map: CityMap): void {
  const isPoint: ['==', ['geometry-type'], 'Point'] = ['==', ['geometry-type'], 'Point'];
  const isArea: ['==', ['geometry-type'], 'Polygon'] = ['==', ['geometry-type'], 'Polygon'];
  const round = { 'line-cap': 'round', 'line-join': 'round' } as const;
  map.addLayer({
    id: `${SOURCE}-fill`,
    type: 'fill',
    source: SOURCE,
    filter: isArea,
    paint: { 'fill-color': HALO, 'fill-opacity': 0.18 },
  });
  map.addLayer({
    id: `${SOURCE}-halo`,
    type: 'line',
    source: SOURCE,
    layout: round,
    paint: { 'line-color': HALO, 'line-width': 9, 'line-opacity': 0.85 },
  });
  map.addLayer({
    id: `${SOURCE}-line`,
    type: 'line',
    source: SOURCE,
    layout: round,
    paint: { 'line-color': CORE, 'line-width': 2 },
  });
  map.addLayer({
    id: `${SOURCE}-point`,
    type: 'circle',
    source: SOURCE,
    filter: isPoint,
    paint: {
      'circle-radius': 12,
      'circle-opacity': 0,
      'circle-stroke-color': HALO,
      'circle-stroke-width': 5,
    },
  });
}
