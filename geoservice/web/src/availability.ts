/**
 * What is free, told honestly: the states a facility may be shown in, and how to ask for them.
 *
 * A figure is shown in its colour only while it is fresh. A stale one is grey with the last known
 * state as a ring, and anything older or missing is hollow: never free space.
 */

import { formatAge, formatNumber } from './format.ts';
import { t } from './i18n.ts';
import type { MessageKey } from './messages.ts';
import type { Availability, Freshness, Status } from './types.ts';

export const MAX_RADIUS_M = 50_000;
export const MAX_RESULTS = 1000;

export type DisplayState = 'available' | 'almostFull' | 'full' | 'closed' | 'stale' | 'unknown';

export interface Swatch {
  fill: string;
  ring: string;
}

const STATE_OF_STATUS: Record<Status, DisplayState> = {
  open: 'available',
  spacesAvailable: 'available',
  almostFull: 'almostFull',
  full: 'full',
  closed: 'closed',
  unknown: 'unknown',
};

/** Colours that stay apart for colour-blind readers (after Okabe and Ito). */
export const SWATCHES: Record<DisplayState, Swatch> = {
  available: { fill: '#009e73', ring: '#ffffff' },
  almostFull: { fill: '#e69f00', ring: '#ffffff' },
  full: { fill: '#d1341f', ring: '#ffffff' },
  closed: { fill: '#6b7280', ring: '#ffffff' },
  stale: { fill: '#c3c8ce', ring: '#009e73' },
  unknown: { fill: '#ffffff', ring: '#7b828c' },
};

/** A facility of which nothing was asked: a place on the map, without a word on what is free. */
export const NOT_ASKED: Swatch = { fill: '#7d94ab', ring: '#ffffff' };

export const STATE_TITLES: Record<DisplayState, MessageKey> = {
  available: 'stateAvailable',
  almostFull: 'stateAlmostFull',
  full: 'stateFull',
  closed: 'stateClosed',
  stale: 'stateStale',
  unknown: 'stateUnknown',
};

export const FRESHNESS_TITLES: Record<Freshness, MessageKey> = {
  fresh: 'freshnessFresh',
  stale: 'freshnessStale',
  expired: 'freshnessExpired',
  unknown: 'freshnessUnknown',
  expected: 'freshnessExpected',
};

/** The status that may still be told: an expired figure says nothing about now. */
export function tellableStatus(status: Status, freshness: Freshness): Status {
  return freshness === 'fresh' || freshness === 'stale' ? status : 'unknown';
}

/** The state by which the legend counts and the map draws a facility. */
export function displayState(status: Status, freshness: Freshness): DisplayState {
  const told = STATE_OF_STATUS[tellableStatus(status, freshness)] ?? 'unknown';
  return freshness === 'stale' && told !== 'unknown' ? 'stale' : told;
}

/** The colour of a status as such, which rings a stale facility. */
export function statusColor(status: Status): string {
  const state = STATE_OF_STATUS[status] ?? 'unknown';
  return state === 'unknown' ? SWATCHES.unknown.ring : SWATCHES[state].fill;
}

/** `3 of 10 free`, as much of it as is known. An expired figure is not repeated. */
export function freeText(availability: Availability): string {
  const { available, capacity, freshness, expected } = availability;
  if (expected) return t('expectedFree', { ...expected });
  const told = freshness === 'fresh' || freshness === 'stale' ? available : null;
  if (told !== null && capacity !== null) return t('freeOf', { available: told, capacity });
  if (told !== null) return t('freeOnly', { available: told });
  return capacity === null ? t('freeUnknown') : t('capacityOnly', { capacity });
}

/**
 * How old a figure is, and what that means.
 *
 * Args:
 *   elapsed_s: Seconds since the service computed `age_s`.
 */
export function ageText({ age_s, freshness, expected }: Availability, elapsed_s: number): string {
  if (expected) return t('expectedError', { error: formatNumber(expected.mean_absolute_error) });
  const meaning = t(FRESHNESS_TITLES[freshness]);
  return age_s === null ? meaning : `${formatAge(age_s + elapsed_s)} · ${meaning}`;
}

/** How somebody goes there; empty for a straight line. */
export type Travel = '' | 'walking' | 'driving';

export interface AvailabilityQuery {
  lon: number;
  lat: number;
  radius_m: number;
  limit: number;
  kind?: string | null;
  min_available?: number | null;
  open_at?: Date | null;
  /** A later instant, of which is told what is expected. */
  at?: Date | null;
  travel?: Travel;
  max_minutes?: number;
}

/** The query of `/availability`, within the bounds it accepts; what is not asked is left out. */
export function availabilityParameters(query: AvailabilityQuery): URLSearchParams {
  const parameters = new URLSearchParams({
    lon: query.lon.toFixed(6),
    lat: query.lat.toFixed(6),
  });
  if (query.travel) {
    parameters.set('travel', query.travel);
    parameters.set('max_minutes', String(query.max_minutes ?? 15));
  } else {
    parameters.set('radius_m', String(clamp(Math.ceil(query.radius_m), 1, MAX_RADIUS_M)));
  }
  if (query.at) parameters.set('datetime', query.at.toISOString());
  if (query.kind) parameters.set('kind', query.kind);
  if (query.min_available) parameters.set('min_available', String(query.min_available));
  if (query.open_at) parameters.set('open_at', query.open_at.toISOString());
  parameters.set('limit', String(clamp(query.limit, 1, MAX_RESULTS)));
  return parameters;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
