/** Live availability of the facilities in view: asked for, kept, counted, and drawn. */

import { LngLat, type Map as CityMap } from 'maplibre-gl';
import { fetchAvailability, isAbort, reasonOf } from './api.ts';
import {
  availabilityParameters,
  type DisplayState,
  displayState,
  MAX_RADIUS_M,
  MAX_RESULTS,
  tellableStatus,
} from './availability.ts';
import { type Catalogue, LIVE_LAYER } from './catalogue.ts';
import { leaveOnRefusal } from './failures.ts';
import { type LiveChange, LiveStream } from './live-stream.ts';
import type { Appearance } from './appearance.ts';
import type { Availability, AvailabilityFeature } from './types.ts';
import type { Visibility } from './visibility.ts';

const REFRESH_MS = 30_000;
const RETRY_MS = 10_000;
const SETTLE_MS = 400;
/** After so many failed refreshes in a row nothing is said about any facility any more. */
const FAILURES_UNTIL_EXPIRED = 6;

/** A figure and when it arrived here (milliseconds since 1970). */
export interface Reading {
  availability: Availability;
  position: LngLat;
  received_at_ms: number;
}

export interface LiveSummary {
  phase: 'off' | 'paused' | 'too far' | 'loading' | 'ready' | 'failed';
  /** When the figures on the map arrived; null before the first. */
  received_at_ms: number | null;
  /** Age of the oldest figure in view that still tells something; null where none does. */
  oldest_s: number | null;
  /** Facilities in view by state. */
  counts: Map<DisplayState, number>;
  /** Whether there were more facilities than one answer holds. */
  truncated: boolean;
  /** Whether the view reaches beyond the largest radius. */
  bounded: boolean;
  reason: string;
}

/** Seconds since a reading arrived. */
export function elapsedSince({ received_at_ms }: Reading): number {
  return (Date.now() - received_at_ms) / 1000;
}

/** Readings as they may be told after failed refreshes: out of date at first, then not at all. */
export function degrade(readings: Reading[], failures: number): Reading[] {
  const freshness = failures < FAILURES_UNTIL_EXPIRED ? 'stale' : 'expired';
  return readings.map((reading) => {
    const { availability } = reading;
    const worse = availability.freshness === 'fresh' || freshness === 'expired';
    return worse ? { ...reading, availability: { ...availability, freshness } } : reading;
  });
}

export class LiveAvailability {
  readonly #map: CityMap;
  readonly #catalogue: Catalogue;
  readonly #visibility: Visibility;
  readonly #appearance: Appearance;
  readonly #listeners = new Set<() => void>();
  #readings = new Map<number, Reading>();
  #summary: LiveSummary = summaryOf('off', []);
  readonly #stream = new LiveStream<LiveChange>((change) => this.#take(change));
  #request = new AbortController();
  #timer = 0;
  #failures = 0;

  constructor(
    map: CityMap,
    catalogue: Catalogue,
    visibility: Visibility,
    appearance: Appearance,
  ) {
    this.#map = map;
    this.#catalogue = catalogue;
    this.#visibility = visibility;
    this.#appearance = appearance;
    if (catalogue.byName.has(LIVE_LAYER)) this.#start();
  }

  get summary(): LiveSummary {
    return this.#summary;
  }

  readingOf(feature_id: number): Reading | undefined {
    return this.#readings.get(feature_id);
  }

  /** Calls `listener` after each change. Returns: How to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #start(): void {
    const soon = () => this.#schedule(SETTLE_MS);
    this.#map.on('moveend', soon);
    this.#visibility.onChange(soon);
    this.#appearance.onChange(() => this.#startAnew());
    document.addEventListener('visibilitychange', soon);
    soon();
  }

  /** A source of another time has lost its states; what they told may be wrong there. */
  #startAnew(): void {
    this.#request.abort();
    this.#draw([]);
    this.#schedule(SETTLE_MS);
  }

  #schedule(delay_ms: number): void {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#refresh(), delay_ms);
  }

  #isWanted(): boolean {
    return this.#visibility.isOn(LIVE_LAYER) && document.visibilityState === 'visible';
  }

  /** Whether the view holds more facilities than can be asked for; then none is. */
  #isTooFar(): boolean {
    const layer = this.#catalogue.byName.get(LIVE_LAYER);
    return this.#map.getZoom() < (layer?.live_minzoom ?? layer?.minzoom ?? 0);
  }

  async #refresh(): Promise<void> {
    this.#request.abort();
    if (!this.#appearance.isLive || !this.#isWanted() || this.#isTooFar()) this.#stream.stop();
    if (!this.#appearance.isLive) return this.#tell(summaryOf('paused', []));
    if (!this.#isWanted()) return this.#tell({ ...this.#summary, phase: 'off' });
    if (this.#isTooFar()) {
      this.#draw([]);
      return this.#tell(summaryOf('too far', []));
    }
    this.#request = new AbortController();
    if (this.#readings.size === 0) this.#tell({ ...this.#summary, phase: 'loading' });
    try {
      await this.#stream.follow({ bbox: this.#box() });
      await this.#ask(this.#request.signal);
    } catch (error) {
      if (isAbort(error) || leaveOnRefusal(error)) return;
      this.#fail(reasonOf(error));
    }
    this.#schedule(this.#failures > 0 ? RETRY_MS : REFRESH_MS);
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const centre = this.#map.getCenter();
    const radius_m = centre.distanceTo(this.#map.getBounds().getNorthEast());
    const at = { lon: centre.lng, lat: centre.lat };
    const query = availabilityParameters({ ...at, radius_m, limit: MAX_RESULTS });
    const { features } = await fetchAvailability(query, signal);
    this.#failures = 0;
    const readings = features.map(readingOf);
    this.#draw(readings);
    this.#tell({
      ...summaryOf('ready', this.#inView(readings)),
      received_at_ms: Date.now(),
      truncated: features.length >= MAX_RESULTS,
      bounded: radius_m > MAX_RADIUS_M,
    });
  }

  /** The view as the service takes it: west,south,east,north. */
  #box(): string {
    const bounds = this.#map.getBounds();
    const corners = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    return corners.map((degrees) => degrees.toFixed(5)).join(',');
  }

  /** A figure that has just changed takes the place of the one that was asked for. */
  #take(change: LiveChange): void {
    const known = this.#readings.get(change.feature_id);
    if (!known) return;
    const { available, capacity, status, is_open, observed_at } = change;
    const age_s = Math.max(0, (Date.now() - Date.parse(observed_at)) / 1000);
    const told = { available, capacity, status, is_open, observed_at, age_s };
    const { freshness = 'fresh' } = change;
    const availability: Availability = { ...known.availability, ...told, freshness };
    this.#readings.set(change.feature_id, { ...known, availability, received_at_ms: Date.now() });
    this.#mark(availability);
    const readings = this.#inView([...this.#readings.values()]);
    const { truncated, bounded } = this.#summary;
    const received_at_ms = Date.now();
    this.#tell({ ...summaryOf('ready', readings), received_at_ms, truncated, bounded });
  }

  #fail(reason: string): void {
    this.#failures += 1;
    const readings = degrade([...this.#readings.values()], this.#failures);
    this.#draw(readings);
    const { received_at_ms, truncated, bounded } = this.#summary;
    const known = { received_at_ms, truncated, bounded, reason };
    this.#tell({ ...summaryOf('failed', this.#inView(readings)), ...known });
  }

  /** The service answers for a circle around the view; the legend counts what can be seen. */
  #inView(readings: Reading[]): Reading[] {
    const bounds = this.#map.getBounds();
    return readings.filter(({ position }) => bounds.contains(position));
  }

  /** Hands the states to the map, and takes back those of facilities no longer reported. */
  #draw(readings: Reading[]): void {
    const current = new Map(readings.map((reading) => [reading.availability.feature_id, reading]));
    for (const id of this.#readings.keys()) {
      if (!current.has(id)) this.#map.removeFeatureState(featureOf(id));
    }
    for (const { availability } of current.values()) this.#mark(availability);
    this.#readings = current;
  }

  #mark({ feature_id, status, freshness }: Availability): void {
    const state = displayState(status, freshness);
    this.#map.setFeatureState(featureOf(feature_id), { state, status, freshness });
  }

  #tell(summary: LiveSummary): void {
    this.#summary = summary;
    for (const listener of this.#listeners) listener();
  }
}

/** A reading that has just arrived. */
export function readingOf(feature: AvailabilityFeature): Reading {
  const { properties } = feature;
  return { availability: properties, position: positionOf(feature), received_at_ms: Date.now() };
}

export function positionOf({ geometry }: AvailabilityFeature): LngLat {
  const [lon = 0, lat = 0] = geometry.coordinates;
  return new LngLat(lon, lat);
}

function featureOf(id: number): { source: string; sourceLayer: string; id: number } {
  return { source: LIVE_LAYER, sourceLayer: LIVE_LAYER, id };
}

/** The greatest age among figures that are not expired; null where there is none. */
export function oldestAge(readings: Reading[]): number | null {
  const told = readings.filter(({ availability: { status, freshness } }) => {
    return tellableStatus(status, freshness) !== 'unknown';
  });
  const ages = told.flatMap((reading) => {
    const { age_s } = reading.availability;
    return age_s === null ? [] : [age_s + elapsedSince(reading)];
  });
  return ages.length > 0 ? Math.max(...ages) : null;
}

function summaryOf(phase: LiveSummary['phase'], readings: Reading[]): LiveSummary {
  const counts = new Map<DisplayState, number>();
  for (const { availability } of readings) {
    const state = displayState(availability.status, availability.freshness);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const bounds = { truncated: false, bounded: false };
  const oldest_s = oldestAge(readings);
  return { phase, received_at_ms: null, oldest_s, counts, ...bounds, reason: '' };
}
