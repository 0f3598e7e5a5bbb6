/** Legends as rows: one for each look, for what looks the same need not be drawn twice. */

import { inLanguage, inOtherLanguage, listOf, otherListOf } from './i18n.ts';
import type { LegendEntry } from './types.ts';

export interface LegendRow {
  /** An entry that has the look of the row. */
  look: LegendEntry;
  /** What all is drawn like this. */
  text: string;
  /** The same in the other language. */
  otherText: string;
}

/** The rows of a legend, in the order in which their looks first come. */
export function legendRows(entries: LegendEntry[]): LegendRow[] {
  const byLook = new Map<string, LegendEntry[]>();
  for (const entry of entries) {
    const look = `${entry.shape} ${entry.color}`;
    byLook.set(look, [...(byLook.get(look) ?? []), entry]);
  }
  return [...byLook.values()].flatMap((alike) => {
    const [look] = alike;
    if (!look) return [];
    const labels = alike.map(({ label }) => label);
    const text = listOf(labels.map(inLanguage));
    return [{ look, text, otherText: otherListOf(labels.map(inOtherLanguage).filter(Boolean)) }];
  });
}
