/** The map itself: MapLibre with this service's requests, fonts, controls and address fragment. */

import {
  AttributionControl,
  Map as CityMap,
  type MapOptions,
  NavigationControl,
  type PaddingOptions,
  type RequestParameters,
  ScaleControl,
  setWorkerUrl,
} from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import { authorization, serviceUrl } from './api.ts';
import { dressed } from './dressing.ts';
import { onLanguage, t } from './i18n.ts';
import type { MessageKey } from './messages.ts';
import { CoordinateReadout } from './readout.ts';
import type { CityDescription, CityStyle } from './types.ts';

type ViewOptions = Pick<MapOptions, 'bounds' | 'fitBoundsOptions' | 'center' | 'zoom'>;

/** Fonts of the reader's machine that hold Chinese: the style needs no glyph server. */
const CHINESE_FONTS =
  "'PingFang SC','Microsoft YaHei','Noto Sans CJK SC','Noto Sans SC','WenQuanYi Zen Hei',sans-serif";

/** Width of the side panel with its margin, as in panel.css. */
const PANEL_WIDTH_PX = 338;

const CONTROL_LABELS: [selector: string, message: MessageKey][] = [
  ['.maplibregl-canvas', 'mapLabel'],
  ['.maplibregl-ctrl-zoom-in', 'zoomInButton'],
  ['.maplibregl-ctrl-zoom-out', 'zoomOutButton'],
  ['.maplibregl-ctrl-compass', 'compassButton'],
  ['.maplibregl-ctrl-attrib-button', 'attributionButton'],
];

/**
 * A map of the style in `container`, at the position in the address, else at the city's extent.
 * Raises an error where the browser has no WebGL 2.
 */
export function createMap(container: HTMLElement, style: CityStyle): CityMap {
  setWorkerUrl(workerUrl);
  const map = new CityMap({
    container,
    style: dressed(style, undefined, () => true),
    ...openingView(style.metadata['geoservice:city'], container),
    hash: 'map',
    maxZoom: 22,
    maxPitch: 60,
    localIdeographFontFamily: CHINESE_FONTS,
    attributionControl: false,
    transformRequest: authorise,
  });
  addControls(map);
  onLanguage(() => labelControls(container));
  return map;
}

/** Where the map opens when the address does not say. */
function openingView({ view, extent }: CityDescription, container: HTMLElement): ViewOptions {
  if (!view) return { bounds: extent, fitBoundsOptions: { padding: freePadding(container) } };
  const [lon, lat, zoom] = view;
  return { center: [lon, lat], zoom };
}

/** Room around the city, and for the panel where it lies beside the map. */
export function freePadding({ clientWidth }: HTMLElement): PaddingOptions {
  const left = clientWidth > 720 ? PANEL_WIDTH_PX : 0;
  return { top: 24, right: 24, bottom: 24, left: 24 + left };
}

/** Every request of the map goes to this service and carries the key, if there is one. */
function authorise(path: string): RequestParameters {
  return { url: serviceUrl(path), headers: authorization() };
}

function addControls(map: CityMap): void {
  map.addControl(new NavigationControl({ visualizePitch: true }), 'top-right');
  map.addControl(new AttributionControl({ compact: true }), 'bottom-right');
  map.addControl(new CoordinateReadout(), 'bottom-right');
  map.addControl(new ScaleControl({ maxWidth: 120, unit: 'metric' }), 'bottom-right');
}

function labelControls(container: HTMLElement): void {
  for (const [selector, message] of CONTROL_LABELS) {
    const control = container.querySelector(selector);
    control?.setAttribute('aria-label', t(message));
    if (control instanceof HTMLButtonElement) control.title = t(message);
  }
}
