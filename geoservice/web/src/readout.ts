/** A map control that reads out where the pointer is, or the centre where there is none. */

import type { IControl, LngLat, Map as CityMap, MapMouseEvent } from 'maplibre-gl';
import { element, fillWith } from './dom.ts';
import { formatDegrees } from './format.ts';
import { onLanguage, t } from './i18n.ts';

export class CoordinateReadout implements IControl {
  readonly #container = element('output', { class: 'maplibregl-ctrl readout', 'aria-live': 'off' });
  #map: CityMap | undefined;
  #pointer: LngLat | null = null;

  onAdd(map: CityMap): HTMLElement {
    this.#map = map;
    map.on('mousemove', this.#follow);
    map.on('mouseout', this.#release);
    map.on('move', this.#render);
    onLanguage(this.#render);
    return this.#container;
  }

  onRemove(): void {
    this.#map?.off('mousemove', this.#follow);
    this.#map?.off('mouseout', this.#release);
    this.#map?.off('move', this.#render);
    this.#map = undefined;
    this.#container.remove();
  }

  readonly #follow = (event: MapMouseEvent): void => {
    this.#pointer = event.lngLat;
    this.#render();
  };

  readonly #release = (): void => {
    this.#pointer = null;
    this.#render();
  };

  readonly #render = (): void => {
    if (!this.#map) return;
    const { lng, lat } = this.#pointer ?? this.#map.getCenter();
    fillWith(
      this.#container,
      element('span', {}, `${t('longitude')} ${formatDegrees(lng)}`),
      element('span', {}, `${t('latitude')} ${formatDegrees(lat)}`),
      element('span', {}, `${t('zoom')} ${this.#map.getZoom().toFixed(1)}`),
    );
  };
}
