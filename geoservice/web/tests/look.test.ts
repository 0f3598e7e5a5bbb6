import { describe, expect, test } from 'vitest';
import { dayOf, firstDayOf, monthOf, noonOf } from '../src/dates.ts';
import { dressed } from '../src/dressing.ts';
import { partOf, withPart } from '../src/fragment.ts';
import { readChoice, showsLive } from '../src/look.ts';
import type { CityStyle } from '../src/types.ts';

describe('the choice in an address', () => {
  test('is read from the fragment, else as remembered', () => {
    expect(readChoice('#map=1/2/3&look=night', 'print').look).toBe('night');
    expect(readChoice('#map=1/2/3', 'print').look).toBe('print');
    expect(readChoice('#look=dusk', null).look).toBe('day');
  });

  test('holds an instant, and none that is not one', () => {
    expect(readChoice('#datetime=2015-06-30T04:00:00Z', null).instant).toBe('2015-06-30T04:00:00Z');
    expect(readChoice('#datetime=then', null).instant).toBeNull();
  });

  test('shows live figures of now and not on paper', () => {
    expect(showsLive({ look: 'night', instant: null })).toBe(true);
    expect(showsLive({ look: 'print', instant: null })).toBe(false);
    expect(showsLive({ look: 'day', instant: '2015-06-30T04:00:00Z' })).toBe(false);
  });
});

describe('parts of a fragment', () => {
  test('are set and taken out, others stay as they were written', () => {
    const past = withPart('#map=12/22.5/114.1', 'datetime', '2015-06-30T04:00:00Z');
    expect(past).toBe('#map=12/22.5/114.1&datetime=2015-06-30T04:00:00Z');
    expect(withPart(past, 'datetime', null)).toBe('#map=12/22.5/114.1');
    expect(partOf(past, 'datetime')).toBe('2015-06-30T04:00:00Z');
    expect(partOf(past, 'date')).toBeNull();
  });
});

describe('days', () => {
  test('begin and end as the clocks of the city say', () => {
    expect(noonOf('2015-06-30', 'Asia/Shanghai')).toBe('2015-06-30T04:00:00Z');
    expect(noonOf('2015-01-15', 'Europe/Berlin')).toBe('2015-01-15T11:00:00Z');
    expect(dayOf(new Date('2015-06-30T17:00:00Z'), 'Asia/Shanghai')).toBe('2015-07-01');
  });

  test('and months go into each other', () => {
    expect(firstDayOf(monthOf('2015-06-30', 1980), 1980)).toBe('2015-06-01');
    expect(firstDayOf(11, 1980)).toBe('1980-12-01');
  });
});

describe('a style made ready for the page', () => {
  const layer = (id: string, name: string) => ({
    id,
    type: 'line' as const,
    source: name,
    metadata: { 'geoservice:layer': name },
  });
  const style = (look: string): CityStyle =>
    ({
      version: 8,
      metadata: { 'geoservice:look': look },
      sources: {},
      layers: [layer('roads-line', 'roads'), layer('pipelines-line', 'pipelines')],
    }) as unknown as CityStyle;

  test('keeps what is switched off switched off', () => {
    const { layers } = dressed(style('day'), undefined, (name) => name !== 'roads');
    expect(layers.map(({ layout }) => layout?.visibility)).toEqual(['none', undefined]);
  });

  test('keeps what the page drew where it was', () => {
    const own = { ...layer('geoservice-hill', 'geoservice-hill'), metadata: {} };
    const top = { ...layer('geoservice-top', 'geoservice-top'), metadata: {} };
    const before = style('day');
    const previous = { ...before, layers: [before.layers[0]!, own, before.layers[1]!, top] };
    const { layers } = dressed(style('night'), previous, () => true);
    expect(layers.map(({ id }) => id)).toEqual([
      'roads-line',
      'geoservice-hill',
      'pipelines-line',
      'geoservice-top',
    ]);
  });
});
