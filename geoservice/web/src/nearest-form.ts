/** The question «where is the nearest free place?»: kind, places, radius, openness. */

import { element, fillWith } from './dom.ts';
import { formatDistance } from './format.ts';
import { inLanguage, onLanguage, t } from './i18n.ts';
import { icon } from './icons.ts';
import type { MessageKey } from './messages.ts';
import type { AttributeDescription } from './types.ts';

export interface NearestQuestion {
  /** Empty for any kind. */
  kind: string;
  min_available: number;
  radius_m: number;
  openOnly: boolean;
}

export interface NearestFormActions {
  fromCentre: () => void;
  fromPick: () => void;
  /** Called when the question changes; an answer on the screen may no longer fit it. */
  changed: () => void;
}

const RADII_M = [500, 1000, 3000, 5000, 10_000, 50_000];

export class NearestForm {
  /** The question as it stands. */
  readonly question: NearestQuestion = {
    kind: '',
    min_available: 1,
    radius_m: 5000,
    openOnly: true,
  };

  readonly #host: HTMLElement;
  readonly #kinds: AttributeDescription['codes'];
  readonly #actions: NearestFormActions;

  constructor(
    host: HTMLElement,
    kinds: AttributeDescription['codes'],
    actions: NearestFormActions,
  ) {
    this.#host = host;
    this.#kinds = kinds;
    this.#actions = actions;
    onLanguage(() => this.#render());
  }

  #render(): void {
    const submit = (event: Event) => {
      event.preventDefault();
      this.#actions.fromCentre();
    };
    const form = element(
      'form',
      { class: 'nearest-form', onsubmit: submit },
      element('p', { class: 'quiet' }, t('nearestIntro')),
      field('kind', this.#kindSelect()),
      element('div', { class: 'fields' }, this.#placesField(), this.#radiusField()),
      this.#openField(),
      this.#buttons(),
    );
    fillWith(this.#host, form);
  }

  #kindSelect(): HTMLElement {
    const options = Object.entries(this.#kinds ?? {}).map(([code, title]) =>
      option(code, inLanguage(title), this.question.kind),
    );
    const onchange = (event: Event) =>
      this.#change({ kind: (event.target as HTMLSelectElement).value });
    const any = option('', t('anyKind'), this.question.kind);
    return element('select', { name: 'kind', onchange }, any, ...options);
  }

  #placesField(): HTMLElement {
    const onchange = (event: Event) => {
      const { valueAsNumber } = event.target as HTMLInputElement;
      this.#change({ min_available: Math.max(1, Math.floor(valueAsNumber) || 1) });
    };
    const range = { min: 1, max: 10_000, step: 1, inputmode: 'numeric' };
    const value = this.question.min_available;
    return field(
      'minAvailable',
      element('input', { type: 'number', name: 'min_available', ...range, value, onchange }),
    );
  }

  #radiusField(): HTMLElement {
    const options = RADII_M.map((radius_m) =>
      option(String(radius_m), formatDistance(radius_m), String(this.question.radius_m)),
    );
    const onchange = (event: Event) =>
      this.#change({ radius_m: Number((event.target as HTMLSelectElement).value) });
    return field('radius', element('select', { name: 'radius_m', onchange }, ...options));
  }

  #openField(): HTMLElement {
    const onchange = (event: Event) =>
      this.#change({ openOnly: (event.target as HTMLInputElement).checked });
    const checked = this.question.openOnly;
    return element(
      'label',
      { class: 'check' },
      element('input', { type: 'checkbox', name: 'open_only', checked, onchange }),
      t('openOnly'),
    );
  }

  #buttons(): HTMLElement {
    const pick = { type: 'button', onclick: this.#actions.fromPick };
    return element(
      'div',
      { class: 'buttons' },
      element('button', { type: 'submit', class: 'primary' }, icon('target'), t('useCentre')),
      element('button', pick, icon('pin'), t('usePoint')),
    );
  }

  #change(part: Partial<NearestQuestion>): void {
    Object.assign(this.question, part);
    this.#actions.changed();
  }
}

function field(title: MessageKey, control: HTMLElement): HTMLElement {
  return element('label', { class: 'field' }, element('span', {}, t(title)), control);
}

function option(value: string, text: string, selected: string): HTMLOptionElement {
  return element('option', { value, selected: value === selected }, text);
}
