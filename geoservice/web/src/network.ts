/** Pipes on the map: what a burst cuts off, and the section below a drawn line. */

import type { Geometry } from 'geojson';
import { type LngLat, type Map as CityMap, Marker } from 'maplibre-gl';
import { getJson, getPicture, isAbort, reasonOf } from './api.ts';
import { attributeOf, type Catalogue } from './catalogue.ts';
import type { Clicks } from './clicks.ts';
import { element, fillWith } from './dom.ts';
import { leaveOnRefusal } from './failures.ts';
import { formatDistance, formatNumber } from './format.ts';
import { inLanguage, onLanguage, t } from './i18n.ts';
import type { MessageKey } from './messages.ts';
import type { Selection } from './selection.ts';

export const PIPES_LAYER = 'pipelines';
const WATER = 'JS';
const MOST_SHOWN = 12;

export interface NetworkParts {
  map: CityMap;
  catalogue: Catalogue;
  clicks: Clicks;
  selection: Selection;
}

interface Node {
  feature_id: number;
  code: string | null;
  appurtenance: string | null;
  lon: number;
  lat: number;
}

interface Served {
  count: number;
  first: { feature_id: number; code: string | null }[];
}

interface Summary {
  close: Node[];
  need_not_close: Node[];
  alternative_sources: Node[];
  shut_off: number;
  without_supply: number;
  length_m: number;
  /** Null where too many segments are cut off to tell. */
  parcels: Served | null;
  facilities: Served | null;
}

interface Answer {
  features: { geometry: Geometry }[];
  summary: Summary;
}

type Phase = 'idle' | 'picking' | 'drawing' | 'searching' | 'done' | { failure: string };

export class Network {
  readonly #parts: NetworkParts;
  readonly #question = element('div', { class: 'network-form' });
  readonly #answer = element('div', { class: 'network-answer' });
  #kind = WATER;
  #found: Answer | null = null;
  #markers: Marker[] = [];
  /** The address of the picture of a section. */
  #section: string | null = null;
  #phase: Phase = 'idle';
  #request = new AbortController();

  constructor(host: HTMLElement, parts: NetworkParts) {
    this.#parts = parts;
    fillWith(host, this.#question, this.#answer);
    onLanguage(() => this.#render());
  }

  async #pick(): Promise<void> {
    this.#tell('picking');
    const place = await this.#parts.clicks.pickPlace();
    if (place) await this.#ask(place);
    else if (this.#phase === 'picking') this.#tell(this.#found ? 'done' : 'idle');
  }

  async #ask({ lng, lat }: LngLat): Promise<void> {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    this.#forget();
    this.#tell('searching');
    const place = { lon: lng.toFixed(7), lat: lat.toFixed(7) };
    const query = new URLSearchParams({ ...place, kind: this.#kind, f: 'geojson' });
    try {
      this.#keep(await getJson<Answer>(`/pipelines/isolate?${query}`, { signal }));
      this.#tell('done');
    } catch (error) {
      if (isAbort(error) || leaveOnRefusal(error)) return;
      this.#tell({ failure: reasonOf(error) });
    }
  }

  async #draw(): Promise<void> {
    this.#tell('drawing');
    const places: LngLat[] = [];
    while (places.length < 2) {
      const place = await this.#parts.clicks.pickPlace();
      if (!place) {
        if (this.#phase === 'drawing') this.#tell(this.#found || this.#section ? 'done' : 'idle');
        return;
      }
      places.push(place);
    }
    await this.#cut(places);
  }

  /** Shows the section below a line, and the line itself. */
  async #cut(places: LngLat[]): Promise<void> {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    this.#forget();
    this.#tell('searching');
    const coordinates = places.map(({ lng, lat }) => [lng, lat]);
    this.#parts.selection.show({ type: 'LineString', coordinates });
    const line = coordinates.map((place) => place.map((n) => n?.toFixed(7)).join(',')).join(';');
    const query = new URLSearchParams({ line, f: 'svg' });
    try {
      this.#section = await getPicture(`/pipelines/section?${query}`, signal);
      this.#tell('done');
    } catch (error) {
      if (isAbort(error) || leaveOnRefusal(error)) return;
      this.#tell({ failure: reasonOf(error) });
    }
  }

  #forget(): void {
    this.#keep(null);
    if (this.#section) URL.revokeObjectURL(this.#section);
    this.#section = null;
  }

  #keep(found: Answer | null): void {
    this.#found = found;
    const geometries = found?.features.map(({ geometry }) => geometry) ?? [];
    const whole: Geometry = { type: 'GeometryCollection', geometries };
    this.#parts.selection.show(found ? whole : null);
    for (const marker of this.#markers) marker.remove();
    this.#markers = [
      ...(found?.summary.close ?? []).map((valve) => this.#mark(valve, 'close')),
      ...(found?.summary.need_not_close ?? []).map((valve) => this.#mark(valve, 'spare')),
    ];
  }

  #mark({ code, lon, lat }: Node, kind: 'close' | 'spare'): Marker {
    const label = t(kind === 'close' ? 'valveToClose' : 'valveSpare', { code: code ?? '' });
    const attributes = { class: 'valve-marker', 'data-kind': kind, role: 'img' };
    const bubble = element('div', { ...attributes, 'aria-label': label, title: label });
    return new Marker({ element: bubble }).setLngLat([lon, lat]).addTo(this.#parts.map);
  }

  #clear(): void {
    this.#request.abort();
    this.#forget();
    this.#tell('idle');
  }

  #tell(phase: Phase): void {
    this.#phase = phase;
    this.#render();
  }

  #render(): void {
    fillWith(
      this.#question,
      element('p', { class: 'quiet' }, t('networkIntro')),
      element('label', {}, t('networkKind'), this.#kinds()),
      element(
        'button',
        { type: 'button', class: 'primary', onclick: () => void this.#pick() },
        t('pickBurst'),
      ),
      element(
        'button',
        { type: 'button', onclick: () => void this.#draw() },
        t('drawSection'),
      ),
    );
    fillWith(
      this.#answer,
      element('p', { class: 'quiet', role: 'status' }, this.#status()),
      this.#found && this.#told(this.#found.summary),
      this.#section &&
        element('a', { href: this.#section, target: '_blank', class: 'section-picture' },
          element('img', { src: this.#section, alt: t('sectionPicture') }),
        ),
      (this.#found || this.#section) &&
        element(
          'button',
          { type: 'button', class: 'link', onclick: () => this.#clear() },
          t('clearResults'),
        ),
    );
  }

  #kinds(): HTMLElement {
    const codes = attributeOf(this.#parts.catalogue, PIPES_LAYER, 'category')?.codes ?? {};
    const options = Object.entries(codes).map(([code, title]) =>
      element('option', { value: code, selected: code === this.#kind }, inLanguage(title)),
    );
    const onchange = (event: Event) => {
      this.#kind = (event.target as HTMLSelectElement).value;
    };
    return element('select', { name: 'network-kind', onchange }, ...options);
  }

  #status(): string {
    if (typeof this.#phase === 'object') return t('burstFailed', { reason: this.#phase.failure });
    if (this.#phase === 'picking') return t('pickingBurst');
    if (this.#phase === 'drawing') return t('drawingSection');
    return this.#phase === 'searching' ? t('searching') : '';
  }

  #told(found: Summary): HTMLElement {
    const line = (key: MessageKey, text: string) => [
      element('dt', {}, t(key)),
      element('dd', { 'data-name': key }, text),
    ];
    const shut = `${formatNumber(found.shut_off)} · ${formatDistance(found.length_m)}`;
    return element(
      'dl',
      { class: 'network-summary' },
      ...line('valvesToClose', codesOf(found.close)),
      ...line('valvesSpare', codesOf(found.need_not_close)),
      ...line('segmentsShut', shut),
      ...line('segmentsDry', formatNumber(found.without_supply)),
      ...line('parcelsDry', servedText(found.parcels)),
      ...line('facilitiesDry', servedText(found.facilities)),
      ...line('otherSources', codesOf(found.alternative_sources)),
    );
  }
}

function codesOf(nodes: { code: string | null }[]): string {
  if (nodes.length === 0) return t('none');
  const named = nodes.slice(0, MOST_SHOWN).map(({ code }) => code ?? t('unnamed'));
  return named.join(' ') + (nodes.length > MOST_SHOWN ? ' …' : '');
}

function servedText(served: Served | null): string {
  if (served === null) return t('tooManyToTell');
  if (served.count === 0) return t('none');
  return `${formatNumber(served.count)} · ${codesOf(served.first)}`;
}
