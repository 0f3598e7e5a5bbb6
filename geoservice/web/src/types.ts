/** The shapes of what the service sends: style metadata, features, availability. */

import type { Geometry, Point } from 'geojson';
import type { StyleSpecification } from 'maplibre-gl';
import type { Look } from './look.ts';

/** A name for people in both languages. */
export interface Title {
  en: string;
  zh: string;
}

export type LegendShape = 'line' | 'fill' | 'circle';

export interface LegendEntry {
  label: Title;
  color: string;
  shape: LegendShape;
}

export interface AttributeDescription {
  name: string;
  title: Title;
  type?: 'text' | 'integer' | 'number' | 'boolean' | 'date' | 'timestamp';
  unit?: string | null;
  /** Titles by code, where the value is a code. */
  codes?: Record<string, Title> | null;
}

export type Clearance = 'public' | 'enterprise' | 'government' | 'restricted';

export interface LayerDescription {
  name: string;
  title: Title;
  description?: Title;
  group?: Title;
  geometry_type: string;
  clearance: Clearance;
  minzoom: number;
  /** Zoom from which live figures are asked for; only of a layer that has them. */
  live_minzoom?: number;
  /** Zoom below which the map shows an overview; missing where it shows all wherever drawn. */
  generalised_below?: number;
  legend: LegendEntry[];
  attributes: AttributeDescription[];
}

export interface CityDescription {
  name: Title;
  /** West, south, east, north in degrees. */
  extent: [number, number, number, number];
  /** Longitude, latitude and zoom at which the map opens; the whole extent where it is missing. */
  view?: [number, number, number];
  /** IANA name, such as `Asia/Shanghai`; the browser's own zone where it is missing. */
  time_zone?: string;
}

export interface CityStyle extends StyleSpecification {
  metadata: {
    'geoservice:layers': LayerDescription[];
    'geoservice:city': CityDescription;
    'geoservice:look': Look;
    /** The clearance at which this style was made. */
    'geoservice:clearance'?: Clearance;
    /** Address of the TileJSON of a terrain in terrain-RGB. */
    'geoservice:terrain'?: string;
  };
}

/** Metadata key by which a style layer names the layer of the city it draws. */
export const LAYER_KEY = 'geoservice:layer';

/** One end is null where the interval is open. */
export type Interval = [string | null, string | null];

export interface FeatureItem {
  type: 'Feature';
  id: number;
  geometry: Geometry | null;
  properties: Record<string, unknown>;
  valid_during?: Interval;
  /** Since when the service has held this version as true. */
  recorded_from?: string | null;
}

export type Status = 'open' | 'spacesAvailable' | 'almostFull' | 'full' | 'closed' | 'unknown';
export type Freshness = 'fresh' | 'stale' | 'expired' | 'unknown' | 'expected';

/** What is expected of a facility at a later instant. */
export interface Expected {
  available: number;
  low: number;
  high: number;
  mean_absolute_error: number;
}

/** What is free in one facility, and how old that figure is. */
export interface Availability {
  feature_id: number;
  code: string | null;
  name: string | null;
  kind: string | null;
  distance_m: number;
  capacity: number | null;
  available: number | null;
  status: Status;
  freshness: Freshness;
  observed_at: string | null;
  age_s: number | null;
  is_open: boolean | null;
  expected?: Expected;
  /** Seconds of the way to it, where the search was by travel. */
  travel_s?: number;
}

export interface AvailabilityFeature {
  type: 'Feature';
  id?: number;
  geometry: Point;
  properties: Availability;
}

export interface AvailabilityCollection {
  type: 'FeatureCollection';
  features: AvailabilityFeature[];
}
