import { LngLat } from 'maplibre-gl';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  ageText,
  availabilityParameters,
  displayState,
  freeText,
  NOT_ASKED,
  tellableStatus,
} from '../src/availability.ts';
import { setLanguage } from '../src/i18n.ts';
import { degrade, oldestAge } from '../src/live.ts';
import { livePaint } from '../src/live-paint.ts';
import type { Availability, Freshness, Status } from '../src/types.ts';

const LIBRARY: Availability = {
  feature_id: 7,
  code: 'L7',
  name: '福田图书馆',
  kind: 'library',
  distance_m: 120,
  capacity: 40,
  available: 9,
  status: 'spacesAvailable',
  freshness: 'fresh',
  observed_at: '2026-11-01T00:00:00Z',
  age_s: 30,
  is_open: true,
};
const STATUSES: Status[] = ['open', 'spacesAvailable', 'almostFull', 'full', 'closed', 'unknown'];
const TOO_OLD: Freshness[] = ['expired', 'unknown'];

beforeEach(() => setLanguage('en'));

describe('honesty', () => {
  test.each(TOO_OLD)('a figure whose freshness is %s says nothing about now', (freshness) => {
    for (const status of STATUSES) {
      expect(tellableStatus(status, freshness)).toBe('unknown');
      expect(displayState(status, freshness)).toBe('unknown');
    }
    expect(freeText({ ...LIBRARY, freshness })).toBe('free places unknown, 40 in all');
  });

  test('a stale figure is shown as stale, but an unknown one stays unknown', () => {
    expect(displayState('spacesAvailable', 'stale')).toBe('stale');
    expect(displayState('unknown', 'stale')).toBe('unknown');
  });

  test('a status that a newer service may send is not taken for free', () => {
    expect(displayState('somethingNew' as Status, 'fresh')).toBe('unknown');
  });

  test('the age of a figure grows while it is looked at', () => {
    expect(ageText(LIBRARY, 0)).toBe('30 s ago · fresh');
    expect(ageText(LIBRARY, 95)).toBe('2 min ago · fresh');
    expect(ageText({ ...LIBRARY, age_s: null, freshness: 'unknown' }, 9)).toBe('age unknown');
  });

  test('failed refreshes age what is on the map, and never make it fresher', () => {
    const position = new LngLat(114.05, 22.5);
    const reading = { availability: LIBRARY, position, received_at_ms: 0 };
    const expired = { ...reading, availability: { ...LIBRARY, freshness: 'expired' as const } };
    const freshness = (failures: number) =>
      degrade([reading, expired], failures).map(({ availability }) => availability.freshness);

    expect(freshness(1)).toEqual(['stale', 'expired']);
    expect(freshness(6)).toEqual(['expired', 'expired']);
  });
});

describe('oldestAge', () => {
  const aged = (age_s: number | null, freshness: Freshness) => ({
    availability: { ...LIBRARY, age_s, freshness },
    position: new LngLat(0, 0),
    received_at_ms: Date.now(),
  });

  test('is that of the oldest figure that still says something', () => {
    const readings = [aged(30, 'fresh'), aged(400, 'stale'), aged(9000, 'expired')];

    expect(oldestAge(readings)).toBeCloseTo(400, 0);
  });

  test('is nothing where no figure does', () => {
    expect(oldestAge([aged(9000, 'expired'), aged(null, 'unknown')])).toBeNull();
  });
});

describe('freeText', () => {
  test('tells as much as is known', () => {
    const texts = [
      LIBRARY,
      { ...LIBRARY, capacity: null },
      { ...LIBRARY, available: 0 },
      { ...LIBRARY, available: null, capacity: null },
    ].map(freeText);

    expect(texts).toEqual(['9 of 40 free', '9 free', '0 of 40 free', 'free places unknown']);
  });
});

describe('availabilityParameters', () => {
  test('leaves out what is not asked', () => {
    const query = { lon: 114.05, lat: 22.5, radius_m: 900.2, limit: 1000, kind: '' };

    expect(String(availabilityParameters(query))).toBe(
      'lon=114.050000&lat=22.500000&radius_m=901&limit=1000',
    );
  });

  test('stays within the bounds of the service', () => {
    const parameters = availabilityParameters({ lon: 0, lat: 0, radius_m: 4e6, limit: 5000 });

    expect(parameters.get('radius_m')).toBe('50000');
    expect(parameters.get('limit')).toBe('1000');
  });

  test('asks for an instant in UTC', () => {
    const open_at = new Date(Date.UTC(2026, 10, 1, 8));
    const at = { lon: 0, lat: 0, radius_m: 1, limit: 1 };

    expect(availabilityParameters({ ...at, open_at }).get('open_at')).toBe(
      '2026-11-01T08:00:00.000Z',
    );
  });
});

test('the paint names each state once and ends in the look of what was not asked for', () => {
  const fill = livePaint('#ffffff').find(([property]) => property === 'circle-color')?.[1] as unknown[];
  const states = fill.slice(2, -1).filter((_, index) => index % 2 === 0);

  expect(new Set(states).size).toBe(states.length);
  expect(states).toContain('stale');
  expect(fill.at(-1)).toBe(NOT_ASKED.fill);
});
