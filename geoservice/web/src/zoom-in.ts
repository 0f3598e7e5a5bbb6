/** The way to a zoom at which there is something to see. */

import type { Map as CityMap } from 'maplibre-gl';
import { element } from './dom.ts';
import { t } from './i18n.ts';

/** Just beyond the zoom, so that what begins there is really drawn. */
const BEYOND = 0.1;

/**
 * A button in the text that zooms in.
 *
 * Args:
 *   title: What it is for, to those who do not see the words around it.
 */
export function zoomInButton(map: CityMap, zoom: number, title: string): HTMLElement {
  const onclick = () => map.easeTo({ zoom: zoom + BEYOND });
  const attributes = { type: 'button', class: 'link', 'aria-label': title };
  return element('button', { ...attributes, onclick }, t('zoomIn'));
}
