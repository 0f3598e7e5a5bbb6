/** What the style says of the city and its layers, ready for looking up. */

import { inLanguage } from './i18n.ts';
import type {
  AttributeDescription,
  CityDescription,
  CityStyle,
  Clearance,
  LayerDescription,
  Title,
} from './types.ts';
import { LAYER_KEY } from './types.ts';

/** The layer whose features have live availability. */
export const LIVE_LAYER = 'facilities';

export interface LayerGroup {
  title: Title | null;
  layers: LayerDescription[];
}

export interface Catalogue {
  city: CityDescription;
  clearance: Clearance | null;
  /** Where the terrain is; null where none may be seen. */
  terrain: string | null;
  /** What is drawn on top comes first, as in a legend. */
  groups: LayerGroup[];
  byName: ReadonlyMap<string, LayerDescription>;
  /** Style layer ids by layer, in drawing order. */
  drawnBy: ReadonlyMap<string, string[]>;
  /** Layers that the style leaves switched off until the reader switches them on. */
  initiallyOff: ReadonlySet<string>;
}

/** Reads the style's metadata. Raises an error where it is not a style of this service. */
export function readCatalogue(style: CityStyle): Catalogue {
  const layers = style.metadata?.['geoservice:layers'];
  const city = style.metadata?.['geoservice:city'];
  if (!Array.isArray(layers) || !city) throw new Error('/styles/city.json: no geoservice metadata');
  const drawnBy = styleLayersByName(style);
  const shown = layers.filter((layer) => drawnBy.has(layer.name));
  return {
    city,
    clearance: style.metadata['geoservice:clearance'] ?? null,
    terrain: style.metadata['geoservice:terrain'] ?? null,
    groups: groupLayers(shown.toReversed()),
    byName: new Map(shown.map((layer) => [layer.name, layer])),
    drawnBy,
    initiallyOff: layersSwitchedOff(style, drawnBy),
  };
}

/** The layers by group, both in the order in which they first come. */
export function groupLayers(layers: LayerDescription[]): LayerGroup[] {
  const groups = new Map<string, LayerGroup>();
  for (const layer of layers) {
    const name = layer.group?.en ?? '';
    const group = groups.get(name) ?? { title: layer.group ?? null, layers: [] };
    group.layers.push(layer);
    groups.set(name, group);
  }
  return [...groups.values()];
}

export function layerTitle(catalogue: Catalogue, name: string): string {
  const layer = catalogue.byName.get(name);
  return layer ? inLanguage(layer.title) : name;
}

/** An attribute of a layer; undefined where the caller may not see it. */
export function attributeOf(
  catalogue: Catalogue,
  layer: string,
  attribute: string,
): AttributeDescription | undefined {
  return catalogue.byName.get(layer)?.attributes.find(({ name }) => name === attribute);
}

/** The layer that a style layer draws; undefined for the map's own, such as the selection. */
export function layerOf(styleLayer: { metadata?: unknown }): string | undefined {
  const name = (styleLayer.metadata as Record<string, unknown> | undefined)?.[LAYER_KEY];
  return typeof name === 'string' ? name : undefined;
}

function styleLayersByName(style: CityStyle): Map<string, string[]> {
  const byName = new Map<string, string[]>();
  for (const styleLayer of style.layers) {
    const name = layerOf(styleLayer);
    if (name !== undefined) byName.set(name, [...(byName.get(name) ?? []), styleLayer.id]);
  }
  return byName;
}

function layersSwitchedOff(style: CityStyle, drawnBy: Map<string, string[]>): Set<string> {
  const off = new Set(
    style.layers.filter(({ layout }) => layout?.visibility === 'none').map(({ id }) => id),
  );
  const isOff = (ids: string[]) => ids.every((id) => off.has(id));
  return new Set([...drawnBy].filter(([, ids]) => isOff(ids)).map(([name]) => name));
}
