/** The legend of live availability: what each state looks like, how many there are, how old. */

import type { Map as CityMap } from 'maplibre-gl';
import {
  type DisplayState,
  MAX_RADIUS_M,
  MAX_RESULTS,
  NOT_ASKED,
  STATE_TITLES,
} from './availability.ts';
import { element, fillWith } from './dom.ts';
import { formatAge, formatClock, formatDistance, formatNumber } from './format.ts';
import { inLanguage, inOther, t } from './i18n.ts';
import type { LiveAvailability, LiveSummary } from './live.ts';
import type { MessageKey } from './messages.ts';
import { dot, legendItem, stateSwatch } from './swatches.ts';
import type { LayerDescription } from './types.ts';
import { zoomInButton } from './zoom-in.ts';

const STATES = Object.keys(STATE_TITLES) as DisplayState[];

let unsubscribe = () => {};

/** A legend that follows the figures. Building a new one lets go of the one before. */
export function createLiveLegend(
  live: LiveAvailability,
  layer: LayerDescription,
  map: CityMap,
): HTMLElement {
  const host = element('div', { class: 'live-legend' });
  const render = () => {
    const { summary } = live;
    const hint = summary.phase === 'too far' && zoomHint(layer, map);
    const isTold = summary.phase !== 'paused';
    fillWith(host, hint, isTold && entries(summary), ...remarks(summary));
  };
  unsubscribe();
  unsubscribe = live.onChange(render);
  render();
  return host;
}

function zoomHint(layer: LayerDescription, map: CityMap): HTMLElement {
  const hint = element('p', { class: 'live-hint' }, t('liveTooFar'), ' ');
  const zoom = layer.live_minzoom ?? layer.minzoom;
  hint.append(zoomInButton(map, zoom, t('zoomInTo', { layer: inLanguage(layer.title) })));
  return hint;
}

function entries(summary: LiveSummary): HTMLElement {
  const known = summary.phase === 'ready' || summary.phase === 'failed';
  const items = STATES.map((state) => {
    const count = known ? formatNumber(summary.counts.get(state) ?? 0) : null;
    const title = STATE_TITLES[state];
    const item = legendItem(stateSwatch(state), t(title), inOther(title), count);
    item.dataset['state'] = state;
    return item;
  });
  const partial = !known || summary.truncated || summary.bounded;
  return element(
    'ul',
    { class: 'legend', 'aria-label': t('live') },
    ...items,
    partial && notAskedItem('stateNotAsked'),
  );
}

/** Facilities on the map of which the page has not asked; no word on what is free there. */
function notAskedItem(title: MessageKey): HTMLElement {
  return legendItem(dot(NOT_ASKED.fill, NOT_ASKED.ring, 1, 3.5), t(title), inOther(title));
}

function remarks(summary: LiveSummary): HTMLElement[] {
  const texts: string[] = [];
  const { phase, received_at_ms, oldest_s, reason } = summary;
  if (phase === 'paused') texts.push(t('livePaused'));
  if (phase === 'loading') texts.push(t('liveLoading'));
  if (phase === 'failed') texts.push(t('liveFailed', { reason }));
  if (phase === 'ready' && received_at_ms !== null) {
    texts.push(t('liveAsOf', { time: formatClock(received_at_ms) }));
    if (oldest_s !== null) texts.push(t('liveOldest', { age: formatAge(oldest_s) }));
  }
  if (summary.truncated) texts.push(t('liveTruncated', { count: formatNumber(MAX_RESULTS) }));
  if (summary.bounded) texts.push(t('liveBounded', { distance: formatDistance(MAX_RADIUS_M) }));
  const failed = phase === 'failed' ? 'remark bad' : 'remark';
  return texts.map((text) => element('p', { class: failed }, text));
}
