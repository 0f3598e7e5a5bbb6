/** The question «where is the nearest free place?»: kind, places, radius, openness. */

import type { Travel } from './availability.ts';
import { element, fillWith } from './dom.ts';
import { cityInstant, formatDistance } from './format.ts';
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
  travel: Travel;
  max_minutes: number;
  /** Local time of the city as the form writes it; empty for now. */
  when: string;
}

export interface NearestFormActions {
  fromCentre: () => void;
  fromPick: () => void;
  /** Called when the question changes; an answer on the screen may no longer fit it. */
  changed: () => void;
}

const RADII_M = [500, 1000, 3000, 5000, 10_000, 50_000];
const MINUTES = [5, 10, 15, 30, 60];
const WAYS: Record<Travel, MessageKey> = {
  '': 'wayStraight',
  walking: 'wayWalking',
  driving: 'wayDriving',
};

export class NearestForm {
  /** The question as it stands. */
  readonly question: NearestQuestion = {
    kind: '',
    min_available: 1,
    radius_m: 5000,
    openOnly: true,
    travel: '',
    max_minutes: 15,
    when: '',
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
      element('div', { class: 'fields' }, this.#placesField(), this.#wayField()),
      this.#reachField(),
      this.#whenField(),
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

  /** The instant that is asked for; null is now. */
  get instant(): Date | null {
    return this.question.when ? cityInstant(this.question.when) : null;
  }

  #wayField(): HTMLElement {
    const options = Object.entries(WAYS).map(([way, title]) =>
      option(way, t(title), this.question.travel),
    );
    const onchange = (event: Event) => {
      this.#change({ travel: (event.target as HTMLSelectElement).value as Travel });
      this.#render();
    };
    return field('way', element('select', { name: 'travel', onchange }, ...options));
  }

  #reachField(): HTMLElement {
    return this.question.travel ? this.#minutesField() : this.#radiusField();
  }

  #minutesField(): HTMLElement {
    const options = MINUTES.map((count) =>
      option(String(count), t('minutesCount', { count }), String(this.question.max_minutes)),
    );
    const onchange = (event: Event) =>
      this.#change({ max_minutes: Number((event.target as HTMLSelectElement).value) });
    return field('wayMinutes', element('select', { name: 'max_minutes', onchange }, ...options));
  }

  #whenField(): HTMLElement {
    const onchange = (event: Event) =>
      this.#change({ when: (event.target as HTMLInputElement).value });
    const value = this.question.when;
    return field(
      'whenAt',
      element('input', { type: 'datetime-local', name: 'when', value, onchange }),
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
