/** Legends as rows: one for each look, for what looks the same need not be drawn twice. */

import { inLanguage, listOf } from './i18n.ts';
import type { LegendEntry } from './types.ts';

export interface LegendRow {
  /** An entry that has the look of the row. */
  look: LegendEntry;
  /** What all is drawn like this. */
  text: string;
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
    return look ? [{ look, text: listOf(alike.map(({ label }) => inLanguage(label))) }] : [];
  });
}
