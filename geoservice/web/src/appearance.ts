/** The look of the map and its instant: changed in place, without loading the page again. */

import type { Map as CityMap } from 'maplibre-gl';
import { fetchStyle, reasonOf } from './api.ts';
import { type Catalogue, readCatalogue } from './catalogue.ts';
import { dressed } from './dressing.ts';
import { leaveOnRefusal } from './failures.ts';
import { t } from './i18n.ts';
import { type Choice, currentChoice, keepChoice, showsLive } from './look.ts';
import { dismissNotice, showNotice } from './notices.ts';
import type { CityStyle } from './types.ts';
import type { Visibility } from './visibility.ts';

export class Appearance {
  readonly #listeners = new Set<(before: Choice) => void>();
  readonly #map: CityMap;
  readonly #catalogue: Catalogue;
  readonly #visibility: Visibility;
  #choice: Choice;
  #turn = 0;

  constructor(map: CityMap, catalogue: Catalogue, visibility: Visibility, choice: Choice) {
    this.#map = map;
    this.#catalogue = catalogue;
    this.#visibility = visibility;
    this.#choice = choice;
    this.#tellPage();
    window.addEventListener('hashchange', () => void this.choose(currentChoice()));
  }

  get choice(): Choice {
    return this.#choice;
  }

  /** Whether live figures are shown. */
  get isLive(): boolean {
    return showsLive(this.#choice);
  }

  /** Calls `listener` after each change with what was chosen before. */
  onChange(listener: (before: Choice) => void): void {
    this.#listeners.add(listener);
  }

  /** Changes look or instant; the map keeps what it shows until the new style is there. */
  async choose(change: Partial<Choice>): Promise<void> {
    const wanted = { ...this.#choice, ...change };
    if (wanted.look === this.#choice.look && wanted.instant === this.#choice.instant) return;
    const turn = ++this.#turn;
    try {
      const style = await fetchStyle(wanted);
      if (turn === this.#turn) this.#wear(style, wanted);
    } catch (error) {
      if (turn !== this.#turn || leaveOnRefusal(error)) return;
      const text = () => t('lookFailed', { reason: reasonOf(error) });
      showNotice('look', { text, retry: () => void this.choose(wanted) });
    }
  }

  #wear(style: CityStyle, choice: Choice): void {
    const before = this.#choice;
    this.#choice = choice;
    Object.assign(this.#catalogue, readCatalogue(style));
    this.#map.setStyle(style, {
      transformStyle: (previous) => dressed(style, previous, this.#visibility.isOn),
    });
    keepChoice(choice);
    dismissNotice('look');
    this.#tellPage();
    for (const listener of this.#listeners) listener(before);
  }

  /** Style sheets read the look and whether the map shows the past. */
  #tellPage(): void {
    const { look, instant } = this.#choice;
    document.documentElement.dataset['look'] = look;
    document.body.dataset['look'] = look;
    document.body.dataset['time'] = instant ?? 'now';
  }
}
