/** The search for the nearest free places: question, answer in a list and on the map. */

import type { LngLat, Map as CityMap } from 'maplibre-gl';
import { fetchAvailability, isAbort, reasonOf } from './api.ts';
import { availabilityParameters } from './availability.ts';
import { attributeOf, type Catalogue, LIVE_LAYER } from './catalogue.ts';
import type { Clicks } from './clicks.ts';
import { element, fillWith } from './dom.ts';
import { leaveOnRefusal } from './failures.ts';
import { formatDistance } from './format.ts';
import type { Hit } from './hits.ts';
import { inLanguage, onLanguage, t } from './i18n.ts';
import { positionOf, type Reading, readingOf } from './live.ts';
import { readingLines } from './live-reading.ts';
import { NearestForm } from './nearest-form.ts';
import { NearestMarkers } from './nearest-markers.ts';
import type { Availability, AvailabilityFeature } from './types.ts';

const LIMIT = 10;
const CLOSE_ZOOM = 16;
const AGE_REFRESH_MS = 5000;

export interface NearestParts {
  map: CityMap;
  catalogue: Catalogue;
  clicks: Clicks;
  /** Shows the details of a facility. */
  open: (hits: Hit[]) => void;
}

type Phase = 'idle' | 'picking' | 'searching' | 'done' | { failure: string };

export class Nearest {
  readonly #answer = element('div', { class: 'nearest-answer' });
  readonly #parts: NearestParts;
  readonly #form: NearestForm;
  readonly #markers: NearestMarkers;
  #origin: LngLat | null = null;
  #results: AvailabilityFeature[] = [];
  #readings: Reading[] = [];
  #phase: Phase = 'idle';
  #request = new AbortController();

  constructor(host: HTMLElement, parts: NearestParts) {
    this.#parts = parts;
    const question = element('div');
    fillWith(host, question, this.#answer);
    const kinds = attributeOf(parts.catalogue, LIVE_LAYER, 'kind')?.codes;
    this.#form = new NearestForm(question, kinds, {
      fromCentre: () => void this.#search(parts.map.getCenter()),
      fromPick: () => void this.#pick(),
      changed: () => this.#origin && void this.#search(this.#origin),
    });
    this.#markers = new NearestMarkers(parts.map, (index) => this.#open(index));
    onLanguage(() => this.#render());
    window.setInterval(() => this.#results.length > 0 && this.#renderAges(), AGE_REFRESH_MS);
  }

  async #pick(): Promise<void> {
    this.#tell('picking');
    const place = await this.#parts.clicks.pickPlace();
    if (place) await this.#search(place);
    else if (this.#phase === 'picking') this.#tell(this.#origin ? 'done' : 'idle');
  }

  async #search(origin: LngLat): Promise<void> {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    this.#origin = origin;
    this.#keep([]);
    this.#tell('searching');
    try {
      const { features } = await fetchAvailability(this.#query(origin), signal);
      if (signal.aborted) return;
      this.#keep(features);
      this.#markers.fit(origin, this.#results);
      this.#tell('done');
    } catch (error) {
      if (isAbort(error) || leaveOnRefusal(error)) return;
      this.#tell({ failure: reasonOf(error) });
    }
  }

  #query(origin: LngLat): URLSearchParams {
    const { openOnly, ...question } = this.#form.question;
    const place = { lon: origin.lng, lat: origin.lat };
    const at = this.#form.instant;
    const open_at = openOnly ? (at ?? new Date()) : null;
    return availabilityParameters({ ...place, ...question, at, open_at, limit: LIMIT });
  }

  #keep(features: AvailabilityFeature[]): void {
    this.#results = byDistance(features);
    this.#readings = this.#results.map(readingOf);
  }

  #clear(): void {
    this.#request.abort();
    this.#origin = null;
    this.#keep([]);
    this.#tell('idle');
  }

  #open(index: number): void {
    const result = this.#results[index];
    if (!result) return;
    const { map } = this.#parts;
    map.easeTo({ center: positionOf(result), zoom: Math.max(map.getZoom(), CLOSE_ZOOM) });
    this.#parts.open([hitOf(result)]);
  }

  #tell(phase: Phase): void {
    this.#phase = phase;
    this.#render();
  }

  #render(): void {
    const list = this.#results.map((result, index) => this.#resultElement(result, index));
    fillWith(
      this.#answer,
      element('p', { class: 'quiet', role: 'status' }, this.#statusText()),
      list.length > 0 && element('ol', { class: 'results' }, ...list),
      this.#origin && this.#clearButton(),
    );
    this.#markers.show(this.#origin, this.#results);
  }

  #statusText(): string {
    const distance = formatDistance(this.#form.question.radius_m);
    if (typeof this.#phase === 'object') return t('searchFailed', { reason: this.#phase.failure });
    if (this.#phase === 'picking') return t('picking');
    if (this.#phase === 'searching') return t('searching');
    if (this.#phase === 'idle') return '';
    const count = this.#results.length;
    return count > 0 ? t('foundSome', { count }) : t('foundNone', { distance });
  }

  #clearButton(): HTMLElement {
    const onclick = () => this.#clear();
    return element('button', { type: 'button', class: 'link', onclick }, t('clearResults'));
  }

  #resultElement(result: AvailabilityFeature, index: number): HTMLElement {
    const emphasise = (on: boolean) => () => this.#markers.emphasise(on ? index : null);
    const handlers = {
      onclick: () => this.#open(index),
      onmouseenter: emphasise(true),
      onmouseleave: emphasise(false),
      onfocus: emphasise(true),
      onblur: emphasise(false),
    };
    return element(
      'li',
      {},
      element(
        'button',
        { type: 'button', class: 'result', ...handlers },
        element('span', { class: 'rank', 'aria-hidden': 'true' }, String(index + 1)),
        this.#resultText(result, index),
      ),
    );
  }

  #resultText({ properties }: AvailabilityFeature, index: number): HTMLElement {
    const reading = this.#readings[index];
    return element(
      'span',
      { class: 'result-text' },
      element(
        'span',
        { class: 'result-name' },
        element('b', {}, properties.name ?? t('unnamed')),
        element('span', { class: 'distance' }, this.#way(properties)),
      ),
      element('small', {}, this.#kindTitle(properties.kind)),
      element('span', { class: 'result-reading' }, ...(reading ? readingLines(reading) : [])),
    );
  }

  /** How far it is: the time where that was asked for, else metres. */
  #way({ travel_s, distance_m }: Availability): string {
    if (travel_s === undefined) return formatDistance(distance_m);
    const way = t(this.#form.question.travel === 'driving' ? 'wayDriving' : 'wayWalking');
    return t('travelMinutes', { way, count: Math.ceil(travel_s / 60) });
  }

  #kindTitle(kind: string | null): string {
    const codes = attributeOf(this.#parts.catalogue, LIVE_LAYER, 'kind')?.codes;
    const title = kind === null ? undefined : codes?.[kind];
    return title ? inLanguage(title) : (kind ?? '');
  }

  /** Figures grow older while they are looked at. Only their lines change, so focus stays. */
  #renderAges(): void {
    this.#answer.querySelectorAll('.result-reading').forEach((lines, index) => {
      const reading = this.#readings[index];
      if (reading) fillWith(lines, ...readingLines(reading));
    });
  }
}

/** Nearest first, whatever the order in which they came. */
export function byDistance(features: AvailabilityFeature[]): AvailabilityFeature[] {
  const far = ({ properties }: AvailabilityFeature) => properties.travel_s ?? properties.distance_m;
  return features.toSorted((a, b) => far(a) - far(b));
}

function hitOf({ properties, geometry }: AvailabilityFeature): Hit {
  const { feature_id, name, code, kind } = properties;
  return { layer: LIVE_LAYER, id: feature_id, properties: { code, name, kind }, geometry };
}
