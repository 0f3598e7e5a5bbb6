/** Relief: shaded and in three dimensions, where the service holds a terrain that this key may see. */

import type { Map as CityMap, RasterDEMSourceSpecification } from 'maplibre-gl';
import type { Appearance } from './appearance.ts';
import type { Look } from './look.ts';

const TERRAIN = 'geoservice-terrain';
const HILLSHADE = 'geoservice-hillshade';
/** Cities are flat: their hills are drawn higher than they are. */
const EXAGGERATION = 1.6;
const PITCH_DEG = 58;

/** How dark and how light slopes are; paper bears little of either. */
const SHADES: Record<Look, { shadow: string; highlight: string; strength: number }> = {
  day: { shadow: '#5b5340', highlight: '#ffffff', strength: 0.35 },
  night: { shadow: '#000000', highlight: '#56616d', strength: 0.5 },
  print: { shadow: '#8a8a8a', highlight: '#ffffff', strength: 0.2 },
};

/**
 * The switch between a flat map and one with relief.
 *
 * The address is that of the style's metadata: the TileJSON of a terrain in terrain-RGB.
 */
export class Relief {
  readonly #map: CityMap;
  readonly #appearance: Appearance;
  readonly #url: string;

  constructor(map: CityMap, appearance: Appearance, url: string) {
    this.#map = map;
    this.#appearance = appearance;
    this.#url = url;
    appearance.onChange(() => this.isOn && this.#shade());
  }

  get isOn(): boolean {
    return Boolean(this.#map.getTerrain());
  }

  toggle(): void {
    if (this.isOn) this.#flatten();
    else this.#raise();
  }

  #raise(): void {
    // Two sources: MapLibre keeps tiles of terrain coarser than those of a shade.
    this.#map.addSource(TERRAIN, this.#source());
    this.#map.addSource(HILLSHADE, this.#source());
    const above = this.#map.getStyle().layers.find(({ type }) => type === 'line')?.id;
    this.#map.addLayer({ id: HILLSHADE, type: 'hillshade', source: HILLSHADE }, above);
    this.#shade();
    this.#map.setTerrain({ source: TERRAIN, exaggeration: EXAGGERATION });
    this.#map.easeTo({ pitch: PITCH_DEG });
  }

  #flatten(): void {
    this.#map.setTerrain(null);
    this.#map.removeLayer(HILLSHADE);
    this.#map.removeSource(HILLSHADE);
    this.#map.removeSource(TERRAIN);
    this.#map.easeTo({ pitch: 0 });
  }

  #shade(): void {
    const { shadow, highlight, strength } = SHADES[this.#appearance.choice.look];
    this.#map.setPaintProperty(HILLSHADE, 'hillshade-shadow-color', shadow);
    this.#map.setPaintProperty(HILLSHADE, 'hillshade-highlight-color', highlight);
    this.#map.setPaintProperty(HILLSHADE, 'hillshade-exaggeration', strength);
  }

  #source(): RasterDEMSourceSpecification {
    return { type: 'raster-dem', url: this.#url, encoding: 'mapbox', tileSize: 256 };
  }
}
