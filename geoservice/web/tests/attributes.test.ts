import { beforeEach, expect, test } from 'vitest';
import { tabulate } from '../src/attributes.ts';
import { setTimeZone } from '../src/format.ts';
import { setLanguage } from '../src/i18n.ts';
import type { AttributeDescription } from '../src/types.ts';

const MATERIAL: AttributeDescription = {
  name: 'material',
  title: { en: 'Material', zh: '材质' },
  codes: { PE: { en: 'Polyethylene', zh: '聚乙烯' } },
};
const DIAMETER: AttributeDescription = {
  name: 'diameter_mm',
  title: { en: 'Diameter', zh: '管径' },
  unit: 'mm',
};

beforeEach(() => {
  setLanguage('zh');
  setTimeZone('Asia/Shanghai');
});

test('a code is decoded into both languages and shown beside its title', () => {
  const { rows } = tabulate([MATERIAL], { material: 'PE' }, true);

  expect(rows).toEqual([
    {
      title: '材质',
      otherTitle: 'Material',
      value: '聚乙烯',
      otherValue: 'Polyethylene',
      code: 'PE',
    },
  ]);
});

test('a code outside its list is shown as it is', () => {
  const [row] = tabulate([MATERIAL], { material: 'XX' }, true).rows;

  expect(row).toMatchObject({ value: 'XX', otherValue: '', code: '' });
});

test('a measure carries its unit, and zero is a value', () => {
  const values = [1200.5, 0].map(
    (diameter_mm) => tabulate([DIAMETER], { diameter_mm }, true).rows[0]?.value,
  );

  expect(values).toEqual(['1,200.5 mm', '0 mm']);
});

test('what has no value is listed as empty, unless the attributes are known to be partial', () => {
  const properties = { material: null, diameter_mm: '' };

  expect(tabulate([MATERIAL, DIAMETER], properties, true).empty).toEqual(['材质', '管径']);
  expect(tabulate([MATERIAL, DIAMETER], properties, false).empty).toEqual([]);
});

test('an attribute that no descriptor names comes last under its own name', () => {
  const { rows } = tabulate([DIAMETER], { admin_code: '440304', diameter_mm: 300 }, true);

  expect(rows.map(({ title }) => title)).toEqual(['管径', 'admin_code']);
});

test('an instant is told in the time zone of the city, a date as it is', () => {
  const properties = { at: '2026-11-01T18:30:00Z', on: '2009-06-30' };
  const { rows } = tabulate([], properties, true);

  expect(rows.map(({ value }) => value)).toEqual(['2026年11月2日 02:30', '2009-06-30']);
});

test('yes and no follow the language', () => {
  setLanguage('en');

  expect(tabulate([], { a: true, b: false }, true).rows.map(({ value }) => value)).toEqual([
    'Yes',
    'No',
  ]);
});
