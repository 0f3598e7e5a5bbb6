/** The attributes of a feature as rows for reading: titles, decoded values, units. */

import { formatInstant, formatNumber } from './format.ts';
import { inLanguage, inOtherLanguage, t } from './i18n.ts';
import type { AttributeDescription } from './types.ts';

export interface AttributeRow {
  title: string;
  /** The title in the other language; empty where it would repeat. */
  otherTitle: string;
  value: string;
  /** The decoded value in the other language; empty where there is none. */
  otherValue: string;
  /** The stored code, where the value is one. */
  code: string;
}

export interface AttributeTable {
  rows: AttributeRow[];
  /** Titles of the attributes that have no value. */
  empty: string[];
}

/**
 * All attributes of a feature in the order of the descriptor; those it does not know come last
 * under their own names, so nothing that was sent is hidden.
 *
 * Args:
 *   complete: Whether `properties` holds all attributes; only then is a missing one called empty.
 */
export function tabulate(
  described: AttributeDescription[],
  properties: Record<string, unknown>,
  complete: boolean,
): AttributeTable {
  const names = new Set(described.map((attribute) => attribute.name));
  const unknown = Object.keys(properties)
    .filter((name) => !names.has(name) && name !== 'feature_id')
    .map((name) => ({ name, title: { en: name, zh: name } }));
  const all: AttributeDescription[] = [...described, ...unknown];
  const hasValue = (attribute: AttributeDescription) => !isEmpty(properties[attribute.name]);
  const empty = complete ? described.filter((attribute) => !hasValue(attribute)) : [];
  return {
    rows: all.filter(hasValue).map((attribute) => rowOf(attribute, properties[attribute.name])),
    empty: empty.map((attribute) => inLanguage(attribute.title)),
  };
}

function rowOf(attribute: AttributeDescription, value: unknown): AttributeRow {
  const decoded = attribute.codes?.[String(value)];
  return {
    title: inLanguage(attribute.title),
    otherTitle: inOtherLanguage(attribute.title),
    value: decoded ? inLanguage(decoded) : withUnit(valueText(attribute, value), attribute.unit),
    otherValue: decoded ? inOtherLanguage(decoded) : '',
    code: decoded ? String(value) : '',
  };
}

function valueText(attribute: AttributeDescription, value: unknown): string {
  if (typeof value === 'boolean') return value ? t('yes') : t('no');
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'object') return JSON.stringify(value);
  const text = String(value);
  return attribute.type === 'timestamp' || isInstant(text) ? formatInstant(text) : text;
}

/** RFC 3339 with an offset; a plain date is left as it is, for it has no time zone. */
function isInstant(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/.test(text);
}

function withUnit(text: string, unit: string | null | undefined): string {
  return unit ? `${text} ${unit}` : text;
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === '';
}
