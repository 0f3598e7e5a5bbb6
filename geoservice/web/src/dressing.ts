/** A style made ready for the page: live colours, switched layers, and what the page has drawn. */

import type { LayerSpecification, StyleSpecification } from 'maplibre-gl';
import { LIVE_LAYER, layerOf } from './catalogue.ts';
import { livePaint } from './live-paint.ts';
import type { CityStyle } from './types.ts';

/** Sources and layers of the page itself begin so. */
const OWN = 'geoservice-';

/** The ring around a facility, apart from where it tells something: as light as its ground. */
const RIMS = { day: '#ffffff', night: '#0c131a' } as const;

/** The style layer whose circles take their colour from live figures. */
const LIVE_CIRCLES = `${LIVE_LAYER}-circle`;

/**
 * A style as the map gets it. What the page drew on the style before stays where it was, and so
 * does terrain.
 *
 * Args:
 *   isOn: Whether a layer of the city is switched on.
 */
export function dressed(
  style: CityStyle,
  previous: StyleSpecification | undefined,
  isOn: (layer: string) => boolean,
): StyleSpecification {
  const look = style.metadata['geoservice:look'];
  const layers = style.layers.map((layer) => {
    const shown = switched(layer, isOn);
    return look !== 'print' && shown.id === LIVE_CIRCLES ? withLivePaint(shown, RIMS[look]) : shown;
  });
  if (!previous) return { ...style, layers };
  const sources = Object.entries(previous.sources).filter(([name]) => name.startsWith(OWN));
  return {
    ...style,
    sources: { ...style.sources, ...Object.fromEntries(sources) },
    layers: withOwn(layers, previous.layers),
    ...(previous.terrain && { terrain: previous.terrain }),
  };
}

function switched(layer: LayerSpecification, isOn: (layer: string) => boolean): LayerSpecification {
  const name = layerOf(layer);
  if (name === undefined || isOn(name)) return layer;
  return { ...layer, layout: { ...layer.layout, visibility: 'none' } } as LayerSpecification;
}

function withLivePaint(layer: LayerSpecification, rim: string): LayerSpecification {
  const paint = { ...layer.paint, ...Object.fromEntries(livePaint(rim)) };
  return { ...layer, paint } as LayerSpecification;
}

/** Layers of the page go below the layer that they were below before. */
function withOwn(
  layers: LayerSpecification[],
  previous: LayerSpecification[],
): LayerSpecification[] {
  const all = [...layers];
  let above: string | undefined;
  for (const layer of previous.toReversed()) {
    const at = all.findIndex(({ id }) => id === above);
    if (layer.id.startsWith(OWN)) all.splice(at < 0 ? all.length : at, 0, layer);
    if (all.some(({ id }) => id === layer.id)) above = layer.id;
  }
  return all;
}
