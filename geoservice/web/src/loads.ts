/** Loading through the web: the form, the load at hand, and those before it. */

import type { Map as CityMap } from 'maplibre-gl';
import { isAbort, reasonOf, statusOf } from './api.ts';
import { type Catalogue, layerTitle } from './catalogue.ts';
import { element, fillWith } from './dom.ts';
import { leaveOnRefusal } from './failures.ts';
import { formatInstant } from './format.ts';
import { inLanguage, onLanguage, t } from './i18n.ts';
import { currentKey } from './key.ts';
import { fileNames, loadCard, stateText } from './load-card.ts';
import { LoadForm } from './load-form.ts';
import { PreviewOnMap } from './load-preview.ts';
import { askOf, fetchLoad, fetchLoads, fetchPreview, followLoad } from './load-requests.ts';
import type { LoadJob, LoadList, LoadPreview, Wish } from './load-types.ts';
import { showNotice } from './notices.ts';
import type { Visibility } from './visibility.ts';

const PLACE_ZOOM = 18;

export interface LoadsParts {
  map: CityMap;
  catalogue: Catalogue;
  visibility: Visibility;
  list: LoadList;
}

/** What the key of this tab may load; null where it may load nothing. */
export async function fetchLoadable(): Promise<LoadList | null> {
  if (currentKey() === null) return null;
  try {
    const list = await fetchLoads();
    return list.layers.length > 0 ? list : null;
  } catch (error) {
    const mayNot = statusOf(error) === 401 || statusOf(error) === 403;
    if (!mayNot) showNotice('loads', { text: () => reasonOf(error) });
    return null;
  }
}

export class Loads {
  readonly #parts: LoadsParts;
  readonly #preview: PreviewOnMap;
  readonly #formHost = element('div', { class: 'load-form-host' });
  readonly #cardHost = element('div');
  readonly #listHost = element('div');
  readonly #form: LoadForm;
  #jobs: LoadJob[];
  #current: LoadJob | null = null;
  #shown: LoadPreview | null = null;
  #failure = '';
  #following = new AbortController();

  constructor(host: HTMLElement, parts: LoadsParts) {
    this.#parts = parts;
    this.#jobs = parts.list.loads;
    this.#preview = new PreviewOnMap(parts.map);
    fillWith(host, this.#formHost, this.#cardHost, this.#listHost);
    const { layers, limits } = parts.list;
    const onUploaded = (job: LoadJob) => this.#open(job);
    this.#form = new LoadForm(this.#formHost, { layers, limits, onUploaded });
    onLanguage(() => this.#render());
  }

  /** Shows a load, and follows what becomes of it. */
  #open(job: LoadJob): void {
    this.#hidePreview();
    this.#failure = '';
    this.#take(job);
    if (job.links.preview && job.state === 'ready') void this.#showPreview();
    void this.#follow(job.id);
    this.#cardHost.querySelector('h3')?.scrollIntoView({ block: 'nearest' });
  }

  #close(): void {
    this.#following.abort();
    this.#hidePreview();
    this.#current = null;
    this.#form.clear();
    this.#render();
    this.#formHost.querySelector<HTMLElement>('select')?.focus();
  }

  async #follow(id: number): Promise<void> {
    this.#following.abort();
    this.#following = new AbortController();
    try {
      await followLoad(id, (job) => this.#change(job), this.#following.signal);
    } catch (error) {
      if (!isAbort(error) && !leaveOnRefusal(error)) this.#fail(error);
    }
  }

  #change(job: LoadJob): void {
    const before = this.#current?.state;
    this.#take(job);
    if (job.state === before) return;
    if (job.state === 'ready') void this.#showPreview();
    if (job.state === 'done' || job.state === 'undone') this.#refreshLayer(job.layer);
  }

  /** The layer has other features now: what was drawn of it is read again. */
  #refreshLayer(layer: string): void {
    this.#hidePreview();
    if (this.#parts.map.getSource(layer)) this.#parts.map.refreshTiles(layer);
  }

  #take(job: LoadJob): void {
    this.#current = job;
    const at = this.#jobs.findIndex(({ id }) => id === job.id);
    this.#jobs = at < 0 ? [job, ...this.#jobs] : this.#jobs.with(at, job);
    this.#render();
  }

  async #showPreview(): Promise<void> {
    const job = this.#current;
    if (!job) return;
    try {
      const preview = await fetchPreview(job.id);
      if (this.#current?.id !== job.id) return;
      this.#shown = preview;
      // What is held of the layer lies below, to be compared.
      if (this.#parts.catalogue.byName.has(job.layer)) this.#parts.visibility.set(job.layer, true);
      this.#preview.show(preview);
      this.#render();
    } catch (error) {
      if (!leaveOnRefusal(error)) this.#fail(error);
    }
  }

  #hidePreview(): void {
    this.#preview.hide();
    this.#shown = null;
    this.#render();
  }

  async #ask(wish: Wish): Promise<void> {
    const job = this.#current;
    if (!job) return;
    this.#failure = '';
    try {
      this.#take(await askOf(job.id, wish));
      void this.#follow(job.id);
    } catch (error) {
      if (!leaveOnRefusal(error)) this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure = t('loadAskFailed', { reason: reasonOf(error) });
    this.#render();
  }

  #render(): void {
    this.#formHost.hidden = this.#current !== null;
    const held = document.activeElement?.getAttribute('data-ask');
    fillWith(this.#cardHost, this.#current && this.#card(this.#current));
    fillWith(this.#listHost, this.#list());
    if (held) this.#cardHost.querySelector<HTMLElement>(`[data-ask=${held}]`)?.focus();
  }

  #card(job: LoadJob): HTMLElement {
    const state = {
      job,
      layerTitle: this.#titleOf(job.layer),
      preview: this.#shown,
      failure: this.#failure,
    };
    const card = loadCard(state, {
      ask: (wish) => void this.#ask(wish),
      togglePreview: () => (this.#shown ? this.#hidePreview() : void this.#showPreview()),
      showPlace: (center) => this.#parts.map.easeTo({ center, zoom: PLACE_ZOOM }),
    });
    const another = { type: 'button', class: 'load-another', onclick: () => this.#close() };
    return element('div', {}, card, element('button', another, t('loadAnother')));
  }

  #titleOf(layer: string): string {
    const loadable = this.#parts.list.layers.find(({ name }) => name === layer);
    return loadable ? inLanguage(loadable.title) : layerTitle(this.#parts.catalogue, layer);
  }

  #list(): HTMLElement {
    const others = this.#jobs.filter(({ id }) => id !== this.#current?.id);
    const none = element('p', { class: 'quiet' }, t('noLoads'));
    const items = others.map((job) => this.#listItem(job));
    return element(
      'section',
      { class: 'load-list' },
      element('h3', {}, t('earlierLoads')),
      items.length > 0 ? element('ul', {}, ...items) : none,
    );
  }

  #listItem(job: LoadJob): HTMLElement {
    return element(
      'li',
      {},
      element(
        'button',
        { type: 'button', class: 'result', onclick: () => void this.#reopen(job) },
        element(
          'span',
          { class: 'result-text' },
          element('span', { class: 'file-name' }, fileNames(job)),
          element('small', {}, `${this.#titleOf(job.layer)} · ${formatInstant(job.created_at)}`),
        ),
        element('span', { class: `badge load-badge ${job.state}` }, stateText(job)),
      ),
    );
  }

  async #reopen(job: LoadJob): Promise<void> {
    try {
      this.#open(await fetchLoad(job.id));
    } catch (error) {
      if (leaveOnRefusal(error)) return;
      showNotice('loads', { text: () => reasonOf(error) });
    }
  }
}
