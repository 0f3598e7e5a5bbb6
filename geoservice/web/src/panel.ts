/** The side panel (a sheet at the bottom of a phone): tabs that share one place. */

import { element, fillWith } from './dom.ts';
import { icon } from './icons.ts';
import { onLanguage, t } from './i18n.ts';
import type { MessageKey } from './messages.ts';
import { recall, remember } from './storage.ts';

const STORAGE_KEY = 'geoservice.panel';
const PHONE = '(max-width: 720px)';

export interface Tab {
  name: MessageKey;
  icon: Parameters<typeof icon>[0];
  /** The element that the tab shows; its owner fills it. */
  body: HTMLElement;
}

export class Panel {
  readonly #host: HTMLElement;
  readonly #tabs: Tab[];
  #current: Tab | undefined;
  #isOpen: boolean;

  constructor(host: HTMLElement, tabs: Tab[]) {
    this.#host = host;
    this.#tabs = tabs;
    this.#current = tabs[0];
    const remembered = recall(STORAGE_KEY);
    this.#isOpen = remembered === null ? !isPhone() : remembered === 'open' && !isPhone();
    for (const { body } of tabs) body.setAttribute('role', 'tabpanel');
    fillWith(host, element('div', { class: 'panel-bar' }), ...tabs.map(({ body }) => body));
    onLanguage(() => this.#render());
  }

  /** On a phone panel and details would cover each other; the panel gives way. */
  giveWay(): void {
    if (isPhone() && this.#isOpen) this.#open(false);
  }

  #open(isOpen: boolean): void {
    this.#isOpen = isOpen;
    if (!isPhone()) remember(STORAGE_KEY, isOpen ? 'open' : 'closed');
    this.#render();
  }

  #choose(tab: Tab): void {
    const isAgain = tab === this.#current && this.#isOpen;
    this.#current = tab;
    this.#open(!(isAgain && isPhone()));
  }

  #render(): void {
    this.#host.setAttribute('aria-label', t('panel'));
    this.#host.classList.toggle('open', this.#isOpen);
    for (const { name, body } of this.#tabs) {
      body.id = `tab-${name}`;
      body.hidden = !(this.#isOpen && name === this.#current?.name);
      body.setAttribute('aria-label', t(name));
    }
    const bar = this.#host.querySelector('.panel-bar');
    if (!bar) return;
    const held = bar.contains(document.activeElement) ? document.activeElement?.id : null;
    fillWith(bar, this.#tabList(), this.#toggle());
    if (held) document.getElementById(held)?.focus();
  }

  #tabList(): HTMLElement {
    const tabs = this.#tabs.map((tab) => this.#tabButton(tab));
    const onkeydown = (event: Event) => this.#step((event as KeyboardEvent).key);
    return element('div', { role: 'tablist', 'aria-label': t('panel'), onkeydown }, ...tabs);
  }

  #tabButton(tab: Tab): HTMLElement {
    const selected = tab === this.#current;
    return element(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `tab-button-${tab.name}`,
        'aria-selected': String(selected),
        'aria-controls': `tab-${tab.name}`,
        tabindex: selected ? 0 : -1,
        onclick: () => this.#choose(tab),
      },
      icon(tab.icon),
      t(tab.name),
    );
  }

  /** Arrow keys move between tabs, as the ARIA pattern for tabs has it. */
  #step(key: string): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step === undefined || !this.#current) return;
    const count = this.#tabs.length;
    const tab = this.#tabs[(this.#tabs.indexOf(this.#current) + step + count) % count];
    if (!tab) return;
    this.#current = tab;
    this.#open(true);
    document.getElementById(`tab-button-${tab.name}`)?.focus();
  }

  #toggle(): HTMLElement {
    const label = t(this.#isOpen ? 'hidePanel' : 'showPanel');
    return element(
      'button',
      {
        type: 'button',
        id: 'panel-toggle',
        class: 'plain panel-toggle',
        'aria-expanded': String(this.#isOpen),
        'aria-label': label,
        title: label,
        onclick: () => this.#open(!this.#isOpen),
      },
      icon('left'),
    );
  }
}

function isPhone(): boolean {
  return window.matchMedia(PHONE).matches;
}
