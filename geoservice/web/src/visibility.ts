/** Which layers are switched on: as the reader left them, else as the style has them. */

import type { Map as CityMap } from 'maplibre-gl';
import type { Catalogue } from './catalogue.ts';
import { recall, remember } from './storage.ts';

const STORAGE_KEY = 'geoservice.layers';

export interface Visibility {
  isOn(layer: string): boolean;
  set(layer: string, on: boolean): void;
  /** Calls `listener` after each change. */
  onChange(listener: () => void): void;
}

/** Remembered switches; anything that is not a switch is dropped. */
export function readSwitches(text: string | null): Map<string, boolean> {
  try {
    const entries = Object.entries(JSON.parse(text ?? '{}') as Record<string, unknown>);
    return new Map(entries.filter((entry): entry is [string, boolean] => entry[1] === !!entry[1]));
  } catch {
    return new Map();
  }
}

export function createVisibility(map: CityMap, catalogue: Catalogue): Visibility {
  const switches = readSwitches(recall(STORAGE_KEY));
  const listeners = new Set<() => void>();
  const isOn = (layer: string) => switches.get(layer) ?? !catalogue.initiallyOff.has(layer);
  const draw = (layer: string) => {
    for (const id of catalogue.drawnBy.get(layer) ?? []) {
      map.setLayoutProperty(id, 'visibility', isOn(layer) ? 'visible' : 'none');
    }
  };
  map.once('style.load', () => [...switches.keys()].forEach(draw));
  return {
    isOn,
    set(layer, on) {
      switches.set(layer, on);
      remember(STORAGE_KEY, JSON.stringify(Object.fromEntries(switches)));
      draw(layer);
      for (const listener of listeners) listener();
    },
    onChange: (listener) => void listeners.add(listener),
  };
}
