/** The legend of live availability: what each state looks like, how many there are, how old. */

import { type DisplayState, MAX_RADIUS_M, MAX_RESULTS, STATE_TITLES } from './availability.ts';
import { element, fillWith } from './dom.ts';
import { formatClock, formatDistance, formatNumber } from './format.ts';
import { t } from './i18n.ts';
import type { LiveAvailability, LiveSummary } from './live.ts';
import { stateSwatch } from './swatches.ts';

const STATES = Object.keys(STATE_TITLES) as DisplayState[];

let unsubscribe = () => {};

/** A legend that follows the figures. Building a new one lets go of the one before. */
export function createLiveLegend(live: LiveAvailability): HTMLElement {
  const host = element('div', { class: 'live-legend' });
  const render = () => fillWith(host, entries(live.summary), ...remarks(live.summary));
  unsubscribe();
  unsubscribe = live.onChange(render);
  render();
  return host;
}

function entries({ counts, phase }: LiveSummary): HTMLElement {
  const known = phase === 'ready' || phase === 'failed';
  const items = STATES.map((state) =>
    element(
      'li',
      { 'data-state': state },
      stateSwatch(state),
      element('span', {}, t(STATE_TITLES[state])),
      known && element('b', {}, formatNumber(counts.get(state) ?? 0)),
    ),
  );
  return element('ul', { class: 'legend', 'aria-label': t('live') }, ...items);
}

function remarks(summary: LiveSummary): HTMLElement[] {
  const texts: string[] = [];
  const { phase, received_at_ms, reason } = summary;
  if (phase === 'loading') texts.push(t('liveLoading'));
  if (phase === 'failed') texts.push(t('liveFailed', { reason }));
  if (phase === 'ready' && received_at_ms !== null) {
    texts.push(t('liveAsOf', { time: formatClock(received_at_ms) }));
  }
  if (summary.truncated) texts.push(t('liveTruncated', { count: MAX_RESULTS }));
  if (summary.bounded) texts.push(t('liveBounded', { distance: formatDistance(MAX_RADIUS_M) }));
  const failed = phase === 'failed' ? 'remark bad' : 'remark';
  return texts.map((text) => element('p', { class: failed }, text));
}
