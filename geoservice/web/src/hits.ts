/** Which features lie under a point of the screen. */

import type { Geometry, Point as PointGeometry } from 'geojson';
import { LngLat, type Map as CityMap, type MapGeoJSONFeature, type Point } from 'maplibre-gl';
import { type Catalogue, layerOf } from './catalogue.ts';

/** A feature as a tile shows it: perhaps cut at the tile's edge, with few attributes. */
export interface Hit {
  layer: string;
  id: number | null;
  properties: Record<string, unknown>;
  geometry: Geometry;
}

const POINTER_TOLERANCE_PX = 4;
const FINGER_TOLERANCE_PX = 10;

/**
 * Features under a point, topmost first, each once. Points and lines count within a tolerance that
 * suits pointer or finger; areas only where the point is inside.
 */
export function hitsAt(map: CityMap, catalogue: Catalogue, point: Point): Hit[] {
  const layers = [...catalogue.drawnBy.values()].flat();
  const coarse = window.matchMedia('(pointer: coarse)').matches;
  const reach = coarse ? FINGER_TOLERANCE_PX : POINTER_TOLERANCE_PX;
  const near = map.queryRenderedFeatures(
    [
      [point.x - reach, point.y - reach],
      [point.x + reach, point.y + reach],
    ],
    { layers },
  );
  const inside = map.queryRenderedFeatures([point.x, point.y], { layers });
  return distinct([...near.filter((feature) => !isArea(feature)), ...inside.filter(isArea)]);
}

/** The hits of rendered features; several style layers and tiles may draw one feature. */
export function distinct(
  features: Pick<MapGeoJSONFeature, 'id' | 'layer' | 'properties' | 'geometry'>[],
): Hit[] {
  const hits = new Map<string, Hit>();
  for (const feature of features) {
    const layer = layerOf(feature.layer);
    if (layer === undefined || isCluster(feature)) continue;
    const id = typeof feature.id === 'number' ? feature.id : null;
    const identity = `${layer} ${id ?? JSON.stringify(feature.properties)}`;
    if (hits.has(identity)) continue;
    hits.set(identity, {
      layer,
      id,
      properties: feature.properties,
      geometry: feature.geometry,
    });
  }
  return [...hits.values()];
}

/** The place of the topmost cluster under a point: many features, of which none can be told. */
export function clusterAt(map: CityMap, point: Point): LngLat | null {
  const cluster = map.queryRenderedFeatures([point.x, point.y]).find(isCluster);
  return cluster?.geometry.type === 'Point' ? placeOf(cluster.geometry) : null;
}

function placeOf({ coordinates: [lon = 0, lat = 0] }: PointGeometry): LngLat {
  return new LngLat(lon, lat);
}

function isCluster({ properties }: Pick<MapGeoJSONFeature, 'properties'>): boolean {
  return 'point_count' in properties;
}

function isArea(feature: MapGeoJSONFeature): boolean {
  return feature.geometry.type.endsWith('Polygon');
}
