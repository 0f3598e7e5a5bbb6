/** Alerts that are open: on the map, in a list, and seen to. For those who work with a key. */

import { type Map as CityMap, Marker } from 'maplibre-gl';
import { getJson, reasonOf, sendJson } from './api.ts';
import { element, fillWith } from './dom.ts';
import { formatInstant, formatNumber } from './format.ts';
import { inLanguage, onLanguage, t } from './i18n.ts';
import { LiveStream } from './live-stream.ts';
import { showNotice } from './notices.ts';

const ZOOM = 17;

/** One alert, as the service tells it. */
interface Alert {
  alert_id: number;
  title_zh: string;
  title_en: string;
  name: string | null;
  code: string | null;
  value: number;
  raised_at: string;
  state: 'raised' | 'acknowledged';
  geometry: { coordinates: [number, number] } | null;
}

export class Alerts {
  readonly #host: HTMLElement;
  readonly #map: CityMap;
  #alerts: Alert[] = [];
  #markers: Marker[] = [];
  #reason = '';

  constructor(host: HTMLElement, map: CityMap) {
    this.#host = host;
    this.#map = map;
    onLanguage(() => this.#render());
    // Whatever happens to an alert, all of them are asked for: they are few.
    const stream = new LiveStream(() => void this.#ask());
    void stream.follow({ topic: 'alert' }).then(() => this.#ask());
  }

  async #ask(): Promise<void> {
    try {
      this.#alerts = (await getJson<{ alerts: Alert[] }>('/alerts?state=open')).alerts;
      this.#reason = '';
    } catch (error) {
      this.#reason = reasonOf(error);
    }
    this.#render();
  }

  async #acknowledge({ alert_id }: Alert): Promise<void> {
    try {
      await sendJson('POST', `/alerts/${alert_id}/acknowledge`, { note: '' });
      await this.#ask();
    } catch (error) {
      showNotice('alerts', { text: () => t('loadAskFailed', { reason: reasonOf(error) }) });
    }
  }

  #render(): void {
    const failed = this.#reason !== '' && t('alertsFailed', { reason: this.#reason });
    const none = this.#alerts.length === 0 && !failed && t('noAlerts');
    const items = this.#alerts.map((alert) => this.#item(alert));
    fillWith(
      this.#host,
      (failed || none) && element('p', { class: 'hint', role: 'status' }, failed || none),
      element('ul', { class: 'alert-list' }, ...items),
    );
    this.#mark();
  }

  #item(alert: Alert): HTMLElement {
    const since = formatInstant(alert.raised_at);
    const told = t('alertRaised', { since, value: formatNumber(alert.value) });
    const isNew = alert.state === 'raised';
    return element(
      'li',
      { class: 'alert-item', 'data-state': alert.state },
      element(
        'button',
        { type: 'button', class: 'plain', onclick: () => this.#show(alert) },
        element('strong', {}, titleOf(alert)),
        element('span', {}, alert.name ?? alert.code ?? t('unnamed')),
        element('small', {}, told),
      ),
      isNew
        ? element(
            'button',
            { type: 'button', onclick: () => void this.#acknowledge(alert) },
            t('acknowledge'),
          )
        : element('small', {}, t('acknowledged')),
    );
  }

  #show({ geometry }: Alert): void {
    if (geometry) this.#map.flyTo({ center: geometry.coordinates, zoom: ZOOM });
  }

  #mark(): void {
    for (const marker of this.#markers) marker.remove();
    this.#markers = this.#alerts.flatMap((alert) => {
      if (!alert.geometry) return [];
      const marker = new Marker({ element: this.#bubble(alert), anchor: 'bottom' });
      return [marker.setLngLat(alert.geometry.coordinates).addTo(this.#map)];
    });
  }

  #bubble(alert: Alert): HTMLElement {
    const title = titleOf(alert);
    const label = t('alertMarker', { title });
    const onclick = (event: Event) => {
      event.stopPropagation();
      this.#show(alert);
    };
    const attributes = { type: 'button', class: 'alert-marker', 'data-state': alert.state };
    return element('button', { ...attributes, 'aria-label': label, title, onclick }, '!');
  }
}

function titleOf({ title_zh, title_en }: Alert): string {
  return inLanguage({ zh: title_zh, en: title_en });
}
