/** The bar of time: which day the map shows, and the way to another one and back to now. */

import type { Appearance } from './appearance.ts';
import { dayOf, firstDayOf, monthOf, noonOf } from './dates.ts';
import { element, fillWith } from './dom.ts';
import { formatDay } from './format.ts';
import { onLanguage, t } from './i18n.ts';
import type { Choice } from './look.ts';

/** Where the slider begins; days before it can be written. */
const FIRST_YEAR = 1980;

export class TimeBar {
  readonly #host: HTMLElement;
  readonly #appearance: Appearance;
  readonly #timeZone: string | undefined;
  readonly #onToggle = new Set<() => void>();
  #isOpen = false;

  constructor(host: HTMLElement, appearance: Appearance, timeZone: string | undefined) {
    this.#host = host;
    this.#appearance = appearance;
    this.#timeZone = timeZone;
    onLanguage(() => this.#render());
    appearance.onChange((before) => this.#follow(before));
  }

  /** A bar that says of which day the map is cannot be closed. */
  get isOpen(): boolean {
    return this.#isOpen || this.#appearance.choice.instant !== null;
  }

  /** Opens the bar, or closes it and goes back to now. */
  toggle(): void {
    if (this.isOpen) void this.#appearance.choose({ instant: null });
    this.#isOpen = !this.isOpen;
    this.#render();
    this.#host.querySelector('input')?.focus();
  }

  /** Calls `listener` when the bar has opened or closed. */
  onToggle(listener: () => void): void {
    this.#onToggle.add(listener);
  }

  #follow(before: Choice): void {
    if (before.instant !== this.#appearance.choice.instant) this.#render();
  }

  #render(): void {
    const { instant } = this.#appearance.choice;
    const held = (document.activeElement as HTMLElement | null)?.dataset['part'];
    this.#host.hidden = !this.isOpen;
    this.#host.classList.toggle('past', instant !== null);
    this.#host.setAttribute('aria-label', t('timeBar'));
    if (this.isOpen) fillWith(this.#host, ...this.#parts(instant));
    else fillWith(this.#host);
    if (held) this.#host.querySelector<HTMLElement>(`[data-part=${held}]`)?.focus();
    for (const listener of this.#onToggle) listener();
  }

  #parts(instant: string | null): HTMLElement[] {
    const today = dayOf(new Date(), this.#timeZone);
    const day = instant === null ? today : dayOf(new Date(instant), this.#timeZone);
    const word = element('p', { role: 'status' }, this.#word(instant === null ? null : day));
    const back = () => this.#show(today, today);
    return [
      word,
      this.#slider(day, today, word),
      this.#date(day, today),
      element(
        'button',
        { type: 'button', 'data-part': 'now', disabled: instant === null, onclick: back },
        t('backToNow'),
      ),
    ];
  }

  #word(day: string | null): string {
    return day === null ? t('showsNow') : t('showsPast', { day: formatDay(day) });
  }

  #slider(day: string, today: string, word: HTMLElement): HTMLElement {
    const last = monthOf(today, FIRST_YEAR);
    const dayAt = (month: number) => (month >= last ? today : firstDayOf(month, FIRST_YEAR));
    const chosen = (event: Event) => dayAt(Number((event.target as HTMLInputElement).value));
    return element('input', {
      type: 'range',
      'data-part': 'slider',
      min: 0,
      max: last,
      value: Math.max(0, monthOf(day, FIRST_YEAR)),
      'aria-label': t('timeSlider'),
      oninput: (event) => fillWith(word, this.#word(nullIf(chosen(event), today))),
      onchange: (event) => this.#show(chosen(event), today),
    });
  }

  #date(day: string, today: string): HTMLElement {
    const onchange = (event: Event) => {
      const { value } = event.target as HTMLInputElement;
      if (value) this.#show(value, today);
    };
    const label = t('timeDate');
    return element('input', {
      type: 'date',
      'data-part': 'date',
      value: day,
      max: today,
      'aria-label': label,
      onchange,
    });
  }

  #show(day: string, today: string): void {
    this.#isOpen = true;
    const instant = day >= today ? null : noonOf(day, this.#timeZone);
    void this.#appearance.choose({ instant });
  }
}

function nullIf(day: string, today: string): string | null {
  return day >= today ? null : day;
}
