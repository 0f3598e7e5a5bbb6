/** The panel that tells everything about a feature; several under one click are paged. */

import type { Map as CityMap, Point } from 'maplibre-gl';
import type { Appearance } from './appearance.ts';
import { fetchItem, isAbort, reasonOf } from './api.ts';
import { tabulate, type AttributeRow } from './attributes.ts';
import { attributeOf, type Catalogue, layerTitle, LIVE_LAYER } from './catalogue.ts';
import { element, fillWith } from './dom.ts';
import { leaveOnRefusal } from './failures.ts';
import { formatInstant, formatInterval } from './format.ts';
import type { Hit } from './hits.ts';
import { icon } from './icons.ts';
import { inLanguage, inOtherLanguage, listOf, onLanguage, otherLocale, t } from './i18n.ts';
import type { LiveAvailability } from './live.ts';
import { readingElement } from './live-reading.ts';
import { MESSAGES, type MessageKey } from './messages.ts';
import type { Selection } from './selection.ts';
import type { FeatureItem } from './types.ts';

/** The share of the stage's height that the sheet on a phone may take, as in details.css. */
const SHEET_SHARE = 0.58;

export interface DetailsParts {
  map: CityMap;
  catalogue: Catalogue;
  live: LiveAvailability;
  selection: Selection;
  appearance: Appearance;
}

type Phase = { item: FeatureItem } | { failure: string } | 'loading' | 'tile only';

export class Details {
  readonly #host: HTMLElement;
  readonly #parts: DetailsParts;
  #hits: Hit[] = [];
  #page = 0;
  #phase: Phase = 'loading';
  #request = new AbortController();

  constructor(host: HTMLElement, parts: DetailsParts) {
    this.#host = host;
    this.#parts = parts;
    onLanguage(() => this.#render());
    parts.live.onChange(() => this.#hit?.layer === LIVE_LAYER && this.#render());
    document.addEventListener('keydown', (event) => event.key === 'Escape' && this.close());
  }

  /** Shows the first of some hits; none closes the panel. */
  show(hits: Hit[]): void {
    this.#hits = hits;
    if (hits.length === 0) {
      this.close();
      return;
    }
    this.#turnTo(0);
    const askedByKeyboard = this.#parts.map.getCanvas().matches(':focus-visible');
    if (askedByKeyboard) this.#host.focus();
  }

  /** Moves the map where the panel, as a sheet on a phone, would hide what was asked about. */
  uncover(point: Point): void {
    const { clientWidth, clientHeight } = this.#parts.map.getContainer();
    const { offsetWidth, hidden } = this.#host;
    const visibleHeight = clientHeight * (1 - SHEET_SHARE);
    if (hidden || offsetWidth < clientWidth || point.y < visibleHeight) return;
    this.#parts.map.panBy([0, point.y - visibleHeight / 2]);
  }

  close(): void {
    this.#request.abort();
    const hadFocus = this.#host.contains(document.activeElement);
    this.#hits = [];
    this.#parts.selection.show(null);
    this.#render();
    if (hadFocus) this.#parts.map.getCanvas().focus();
  }

  get #hit(): Hit | undefined {
    return this.#hits[this.#page];
  }

  get #item(): FeatureItem | null {
    return typeof this.#phase === 'object' && 'item' in this.#phase ? this.#phase.item : null;
  }

  #turnTo(page: number): void {
    this.#page = page;
    this.#host.querySelector('.details-body')?.scrollTo(0, 0);
    this.#phase = this.#hit?.id == null ? 'tile only' : 'loading';
    this.#parts.selection.show(this.#hit?.geometry ?? null);
    this.#render();
    if (this.#hit) void this.#fetch(this.#hit);
  }

  async #fetch({ layer, id }: Hit): Promise<void> {
    this.#request.abort();
    if (id === null) return;
    this.#request = new AbortController();
    const { signal } = this.#request;
    try {
      const item = await fetchItem(layer, id, this.#parts.appearance.choice.instant, signal);
      if (signal.aborted) return;
      this.#phase = { item };
      if (item.geometry) this.#parts.selection.show(item.geometry);
    } catch (error) {
      if (isAbort(error) || signal.aborted || leaveOnRefusal(error)) return;
      this.#phase = { failure: reasonOf(error) };
    }
    this.#render();
  }

  #render(): void {
    const hit = this.#hit;
    this.#host.hidden = !hit;
    this.#host.tabIndex = -1;
    this.#host.setAttribute('aria-label', t('details'));
    if (hit) this.#renderKeepingPlace(hit);
    else fillWith(this.#host);
  }

  /** Live figures render the panel anew; the reader keeps focus and place all the same. */
  #renderKeepingPlace(hit: Hit): void {
    const focused = this.#host.querySelector<HTMLElement>('[data-action]:focus')?.dataset['action'];
    const scrolled = this.#host.querySelector('.details-body')?.scrollTop ?? 0;
    const body = this.#body(hit);
    fillWith(this.#host, this.#header(hit), body);
    body.scrollTop = scrolled;
    if (focused) this.#host.querySelector<HTMLElement>(`[data-action=${focused}]`)?.focus();
  }

  #header(hit: Hit): HTMLElement {
    return element(
      'header',
      {},
      element('h2', {}, element('small', {}, this.#layerTitle(hit)), this.#name(hit)),
      this.#hits.length > 1 && this.#pager(),
      this.#button('close', 'close', () => this.close()),
    );
  }

  #layerTitle({ layer }: Hit): string {
    return layerTitle(this.#parts.catalogue, layer);
  }

  /** What to call a feature: its name, else its code, else its kind and number. */
  #name(hit: Hit): string {
    const properties = this.#item?.properties ?? hit.properties;
    const name = properties['name'] || properties['code'];
    if (name) return String(name);
    const codes = attributeOf(this.#parts.catalogue, hit.layer, 'kind')?.codes;
    const kind = codes?.[String(properties['kind'])];
    return `${kind ? inLanguage(kind) : t('feature')} ${hit.id ?? ''}`;
  }

  #pager(): HTMLElement {
    const pages = this.#hits.length;
    const turn = (step: number) => () => this.#turnTo((this.#page + step + pages) % pages);
    return element(
      'div',
      { class: 'pager', role: 'group' },
      this.#button('previous', 'left', turn(-1)),
      element(
        'span',
        { 'aria-live': 'polite', 'aria-label': t('pageOf', { page: this.#page + 1, pages }) },
        `${this.#page + 1} / ${pages}`,
      ),
      this.#button('next', 'right', turn(1)),
    );
  }

  #button(
    action: MessageKey,
    drawing: 'close' | 'left' | 'right',
    onclick: () => void,
  ): HTMLElement {
    const label = { 'aria-label': t(action), title: t(action), 'data-action': action };
    return element('button', { type: 'button', class: 'plain', ...label, onclick }, icon(drawing));
  }

  #body(hit: Hit): HTMLElement {
    const item = this.#item;
    const described = this.#parts.catalogue.byName.get(hit.layer)?.attributes ?? [];
    const table = tabulate(described, item?.properties ?? hit.properties, item !== null);
    return element(
      'div',
      { class: 'details-body' },
      this.#liveElement(hit),
      this.#phaseElement(),
      element('dl', {}, ...table.rows.flatMap(rowElements), ...timeElements(hit, item)),
      table.empty.length > 0 && element('p', { class: 'quiet' }, emptyText(table.empty)),
    );
  }

  #liveElement({ layer, id }: Hit): HTMLElement | null {
    if (layer !== LIVE_LAYER || id === null) return null;
    const reading = this.#parts.live.readingOf(id);
    return reading
      ? readingElement(reading)
      : element('p', { class: 'reading quiet' }, t('liveMissing'));
  }

  #phaseElement(): HTMLElement | null {
    if (this.#phase === 'loading') {
      return element('p', { class: 'quiet', role: 'status' }, t('loadingDetails'));
    }
    if (typeof this.#phase === 'string' || 'item' in this.#phase) return null;
    const text = t('detailsFailed', { reason: this.#phase.failure });
    return element('p', { class: 'remark bad', role: 'status' }, text);
  }
}

function emptyText(names: string[]): string {
  return t('emptyAttributes', { count: names.length, names: listOf(names) });
}

function rowElements({ title, otherTitle, value, otherValue, code }: AttributeRow): HTMLElement[] {
  const lang = otherLocale();
  return [
    element('dt', {}, title, otherTitle && element('small', { lang }, otherTitle)),
    element(
      'dd',
      {},
      value,
      code && element('code', {}, code),
      otherValue && element('small', { lang }, otherValue),
    ),
  ];
}

function timeElements({ id }: Hit, item: FeatureItem | null): HTMLElement[] {
  const rows: AttributeRow[] = [];
  if (item?.valid_during) rows.push(plainRow('validDuring', formatInterval(item.valid_during)));
  if (item?.recorded_from) rows.push(plainRow('recordedFrom', formatInstant(item.recorded_from)));
  if (id !== null) rows.push(plainRow('featureId', String(id)));
  return rows.flatMap(rowElements);
}

function plainRow(key: MessageKey, value: string): AttributeRow {
  const title = MESSAGES[key];
  const names = { title: inLanguage(title), otherTitle: inOtherLanguage(title) };
  return { ...names, value, otherValue: '', code: '' };
}
