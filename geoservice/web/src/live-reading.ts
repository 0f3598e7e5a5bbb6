/** One live figure for reading: the state, what is free, and how old that is. */

import { ageText, displayState, freeText, STATE_TITLES, statusColor } from './availability.ts';
import { element } from './dom.ts';
import { t } from './i18n.ts';
import { elapsedSince, type Reading } from './live.ts';
import type { MessageKey } from './messages.ts';
import { stateSwatch } from './swatches.ts';
import type { Availability } from './types.ts';

/** The figure in large, for the panel of one facility. */
export function readingElement(reading: Reading): HTMLElement {
  const { availability } = reading;
  const state = displayState(availability.status, availability.freshness);
  return element(
    'div',
    { class: 'reading', 'data-state': state },
    state === 'stale' ? stateSwatch(state, statusColor(availability.status)) : stateSwatch(state),
    element('div', {}, ...readingLines(reading)),
  );
}

/** State and figure on one line, openness and age on the next. */
export function readingLines(reading: Reading): HTMLElement[] {
  const { availability } = reading;
  const openness = opennessTitle(availability);
  const age = ageText(availability, elapsedSince(reading));
  return [
    element('p', { class: 'free' }, stateAndFigure(availability)),
    element(
      'p',
      { class: `age ${availability.freshness}` },
      openness ? `${t(openness)} · ${age}` : age,
    ),
  ];
}

/** What is expected is no state: nothing is claimed but the number. */
function stateAndFigure(availability: Availability): string {
  const figure = freeText(availability);
  return availability.expected ? figure : `${t(lastState(availability))} · ${figure}`;
}

/** A stale figure keeps the name of its last state; the age line says that it is out of date. */
function lastState({ status, freshness }: Availability): MessageKey {
  const told = freshness === 'stale' ? 'fresh' : freshness;
  return STATE_TITLES[displayState(status, told)];
}

function opennessTitle({ is_open }: Availability): MessageKey | null {
  if (is_open === null) return null;
  return is_open ? 'openNow' : 'closedNow';
}
