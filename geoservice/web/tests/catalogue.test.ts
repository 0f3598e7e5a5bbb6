import { beforeEach, describe, expect, test } from 'vitest';
import { layerOf, readCatalogue } from '../src/catalogue.ts';
import { distinct } from '../src/hits.ts';
import { setLanguage } from '../src/i18n.ts';
import { legendRows } from '../src/legend.ts';
import { isPale } from '../src/swatches.ts';
import type { CityStyle, LayerDescription, LegendEntry } from '../src/types.ts';
import { readSwitches } from '../src/visibility.ts';

const BASE = { en: 'Base map', zh: '基础地理' };
const UNDERGROUND = { en: 'Underground', zh: '地下管线' };

function layer(name: string, group = BASE): LayerDescription {
  return {
    name,
    title: { en: name, zh: name },
    group,
    geometry_type: 'MultiPolygon',
    clearance: 'public',
    minzoom: 10,
    legend: [],
    attributes: [],
  };
}

function drawn(id: string, name: string, visibility: 'visible' | 'none' = 'visible') {
  const metadata = { 'geoservice:layer': name };
  return { id, type: 'fill', source: name, layout: { visibility }, metadata } as const;
}

const STYLE: CityStyle = {
  version: 8,
  sources: {},
  metadata: {
    'geoservice:look': 'day',
    'geoservice:layers': [layer('districts'), layer('roads'), layer('pipelines', UNDERGROUND)],
    'geoservice:city': {
      name: { en: 'Shenzhen', zh: '深圳市' },
      extent: [113.7, 22.4, 114.7, 22.9],
    },
  },
  layers: [
    { id: 'background', type: 'background' },
    drawn('districts-fill', 'districts'),
    drawn('districts-outline', 'districts', 'none'),
    drawn('roads', 'roads'),
    drawn('pipelines-line', 'pipelines', 'none'),
  ],
};

beforeEach(() => setLanguage('zh'));

describe('readCatalogue', () => {
  test('lists what is drawn on top first', () => {
    const names = readCatalogue(STYLE).groups.map(({ title, layers }) => [
      title?.en,
      layers.map(({ name }) => name),
    ]);

    expect(names).toEqual([
      ['Underground', ['pipelines']],
      ['Base map', ['roads', 'districts']],
    ]);
  });

  test('knows which style layers draw a layer, and which layers are off', () => {
    const { drawnBy, initiallyOff } = readCatalogue(STYLE);

    expect(drawnBy.get('districts')).toEqual(['districts-fill', 'districts-outline']);
    expect([...initiallyOff]).toEqual(['pipelines']);
  });

  test('refuses a style of another service', () => {
    const foreign = { version: 8, sources: {}, layers: [] } as unknown as CityStyle;

    expect(() => readCatalogue(foreign)).toThrow('no geoservice metadata');
  });

  test('the background belongs to no layer', () => {
    expect(STYLE.layers.map(layerOf)[0]).toBeUndefined();
  });
});

describe('legends', () => {
  const entry = (zh: string, color: string): LegendEntry => ({
    label: { zh, en: zh },
    color,
    shape: 'line',
  });

  test('entries that look alike share a row', () => {
    const rows = legendRows([
      entry('配水', '#00ffff'),
      entry('雨水', '#4c3926'),
      entry('中水', '#00ffff'),
    ]);

    expect(rows.map(({ text }) => text)).toEqual(['配水、中水', '雨水']);
    expect(rows.map(({ otherText }) => otherText)).toEqual(['', '']);
  });

  test('a row says in both languages what it stands for', () => {
    const water = { label: { en: 'Water supply', zh: '给水' }, color: '#00ffff' };

    expect(legendRows([{ ...water, shape: 'line' }])[0]).toMatchObject({
      text: '给水',
      otherText: 'Water supply',
    });
  });

  test('pale colours are told from those that stand out on white', () => {
    expect(['#ffffff', '#fbeeb2', '#00ffff', '#000000'].map(isPale)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

test('a feature cut by tiles or drawn by several style layers is one hit', () => {
  const geometry = { type: 'Point' as const, coordinates: [0, 0] };
  const rendered = (id: number, styleLayer: string) =>
    ({ id, geometry, properties: {}, layer: drawn(styleLayer, 'roads') }) as unknown as Parameters<
      typeof distinct
    >[0][number];
  const hits = distinct([
    rendered(5, 'roads-line'),
    rendered(5, 'roads-casing'),
    rendered(6, 'roads-line'),
  ]);

  expect(hits.map(({ id }) => id)).toEqual([5, 6]);
});

describe('readSwitches', () => {
  test('keeps switches and drops everything else', () => {
    expect([...readSwitches('{"roads":false,"parcels":true,"x":"on"}')]).toEqual([
      ['roads', false],
      ['parcels', true],
    ]);
  });

  test.each([null, '', 'not json'])('%j holds no switches', (text) => {
    expect(readSwitches(text).size).toBe(0);
  });
});
