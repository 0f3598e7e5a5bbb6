/** The list of layers: a switch, a legend, and word of why a layer is not to be seen. */

import type { Map as CityMap } from 'maplibre-gl';
import type { Appearance } from './appearance.ts';
import { type Catalogue, type LayerGroup, LIVE_LAYER } from './catalogue.ts';
import { element, fillWith } from './dom.ts';
import { inLanguage, inOtherLanguage, onLanguage, otherLocale, t } from './i18n.ts';
import { type LegendRow, legendRows } from './legend.ts';
import type { LiveAvailability } from './live.ts';
import { createLiveLegend } from './live-legend.ts';
import { legendItem, legendSwatch } from './swatches.ts';
import type { LayerDescription } from './types.ts';
import type { Visibility } from './visibility.ts';
import { zoomInButton } from './zoom-in.ts';

/** Longer legends are folded until they are asked for. */
const MAX_OPEN_ROWS = 10;

export interface LayerListParts {
  map: CityMap;
  catalogue: Catalogue;
  visibility: Visibility;
  live: LiveAvailability;
  appearance: Appearance;
}

/** Builds the list in `host` and keeps its zoom hints in step with the map. */
export function createLayerList(host: HTMLElement, parts: LayerListParts): void {
  const { map, catalogue } = parts;
  const updateHints = () => showZoomHints(host, map.getZoom());
  const render = () => {
    const groups = catalogue.groups.map((group) => groupElement(group, parts));
    const none = element('p', { class: 'quiet' }, t('noLayers'));
    fillWith(host, ...(groups.length > 0 ? groups : [none]));
    updateHints();
  };
  onLanguage(render);
  parts.appearance.onChange(render);
  map.on('zoom', updateHints);
  parts.visibility.onChange(() => {
    showSwitches(host, parts.visibility);
    updateHints();
  });
}

function groupElement({ title, layers }: LayerGroup, parts: LayerListParts): HTMLElement {
  const heading = title ? inLanguage(title) : t('otherGroup');
  return element(
    'section',
    { class: 'layer-group' },
    element('h3', {}, heading),
    element('ul', {}, ...layers.map((layer) => layerElement(layer, parts))),
  );
}

function layerElement(layer: LayerDescription, parts: LayerListParts): HTMLElement {
  const legend = legendElement(layer, parts);
  const toggle = (event: Event) => {
    const { checked } = event.target as HTMLInputElement;
    parts.visibility.set(layer.name, checked);
    if (legend) legend.hidden = !checked;
  };
  const checked = parts.visibility.isOn(layer.name);
  if (legend) legend.hidden = !checked;
  return element(
    'li',
    { class: 'layer', 'data-layer': layer.name, 'data-minzoom': layer.minzoom },
    element(
      'label',
      { class: 'layer-switch', title: layer.description && inLanguage(layer.description) },
      element('input', { type: 'checkbox', role: 'switch', checked, onchange: toggle }),
      symbol(layer),
      layerName(layer),
      clearanceBadge(layer),
    ),
    zoomHint(layer, parts.map),
    overviewHint(layer, parts.map),
    legend,
  );
}

function layerName({ title }: LayerDescription): HTMLElement {
  const other = inOtherLanguage(title);
  return element(
    'span',
    { class: 'layer-name' },
    inLanguage(title),
    other && element('small', { lang: otherLocale() }, other),
  );
}

/** A layer drawn in one way needs no legend of its own: its symbol stands beside its name. */
function symbol({ name, legend }: LayerDescription): SVGSVGElement | null {
  const [only] = legend;
  return only && legend.length === 1 && name !== LIVE_LAYER ? legendSwatch(only) : null;
}

/** Public is what everyone expects; only what is not needs saying. */
function clearanceBadge({ clearance }: LayerDescription): HTMLElement | null {
  if (clearance === 'public') return null;
  return element('span', { class: `badge ${clearance}` }, t(clearance));
}

/** Word that a layer is to be seen further in only; shown and hidden by `showZoomHints`. */
function zoomHint(layer: LayerDescription, map: CityMap): HTMLElement {
  const hint = element('p', { class: 'zoom-hint', hidden: true }, t('zoomHint'), ' ');
  hint.append(zoomInButton(map, layer.minzoom, t('zoomInTo', { layer: inLanguage(layer.title) })));
  return hint;
}

/** Word that not all of a layer is to be seen yet; shown and hidden by `showZoomHints`. */
function overviewHint(layer: LayerDescription, map: CityMap): HTMLElement | null {
  const { generalised_below: below, geometry_type, title } = layer;
  if (below === undefined) return null;
  const word = geometry_type.includes('Point') ? 'clusteredHint' : 'generalisedHint';
  const attributes = { class: 'overview-hint', hidden: true, 'data-below': below };
  const hint = element('p', attributes, t(word), ' ');
  hint.append(zoomInButton(map, below, t('zoomInTo', { layer: inLanguage(title) })));
  return hint;
}

function legendElement(layer: LayerDescription, { live, map }: LayerListParts): HTMLElement | null {
  if (layer.live_minzoom !== undefined) return createLiveLegend(live, layer, map);
  if (layer.legend.length <= 1) return null;
  const rows = legendRows(layer.legend);
  const label = t('legendOf', { layer: inLanguage(layer.title) });
  return element(
    'details',
    { class: 'legend-fold', open: rows.length <= MAX_OPEN_ROWS },
    element('summary', { 'aria-label': label }, t('legend')),
    rowsElement(rows, label),
  );
}

function rowsElement(rows: LegendRow[], label: string): HTMLElement {
  const items = rows.map(({ look, text, otherText }) =>
    legendItem(legendSwatch(look), text, otherText),
  );
  return element('ul', { class: 'legend', 'aria-label': label }, ...items);
}

/** Brings the switches in step with layers that something else has switched on or off. */
function showSwitches(host: HTMLElement, visibility: Visibility): void {
  for (const item of host.querySelectorAll<HTMLElement>('[data-layer]')) {
    const toggle = item.querySelector<HTMLInputElement>('input[role=switch]');
    const isOn = visibility.isOn(item.dataset['layer'] ?? '');
    if (toggle) toggle.checked = isOn;
    const legend = item.querySelector<HTMLElement>('.legend-fold, .live-legend');
    if (legend) legend.hidden = !isOn;
  }
}

/** A layer that is empty at this zoom steps back, and says how to see it. */
function showZoomHints(host: HTMLElement, zoom: number): void {
  for (const item of host.querySelectorAll<HTMLElement>('[data-minzoom]')) {
    const tooFar = zoom < Number(item.dataset['minzoom']);
    item.classList.toggle('too-far', tooFar);
    const hint = item.querySelector<HTMLElement>('.zoom-hint');
    const isOn = item.querySelector<HTMLInputElement>('input')?.checked ?? false;
    if (hint) hint.hidden = !tooFar || !isOn;
    const overview = item.querySelector<HTMLElement>('.overview-hint');
    const isOverview = Math.floor(zoom) < Number(overview?.dataset['below'] ?? 0);
    if (overview) overview.hidden = tooFar || !isOn || !isOverview;
  }
}
