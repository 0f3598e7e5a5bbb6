/** The bar at the top: whose service this is, the key, the language. */

import type { Catalogue } from './catalogue.ts';
import { element, fillWith } from './dom.ts';
import { icon } from './icons.ts';
import { inLanguage, type Language, language, onLanguage, setLanguage, t } from './i18n.ts';
import { currentKey } from './key.ts';

const LANGUAGES: [Language, name: string, tag: string][] = [
  ['zh', '中文', 'zh-CN'],
  ['en', 'English', 'en-GB'],
];

/**
 * Fills the bar, and fills it again when the language changes.
 *
 * Args:
 *   catalogue: What is known of the city; null as long as the style has not been read.
 */
export function createHeader(
  host: HTMLElement,
  openKeyBox: () => void,
): (catalogue: Catalogue) => void {
  let known: Catalogue | null = null;
  const render = () => fillWith(host, brand(known), keyButton(known, openKeyBox), languageSwitch());
  onLanguage(render);
  return (catalogue) => {
    known = catalogue;
    render();
  };
}

function brand(catalogue: Catalogue | null): HTMLElement {
  const city = catalogue && inLanguage(catalogue.city.name);
  return element(
    'h1',
    {},
    city && element('span', { class: 'city' }, city),
    element('span', { class: 'title-long' }, t('service')),
    element('span', { class: 'title-short' }, t('serviceShort')),
  );
}

function keyButton(catalogue: Catalogue | null, openKeyBox: () => void): HTMLElement {
  const state = keyState(catalogue);
  const label = t('keyButton', { state });
  return element(
    'button',
    { type: 'button', class: 'key-button', 'aria-label': label, title: label, onclick: openKeyBox },
    icon('key'),
    element('span', {}, state),
  );
}

function keyState(catalogue: Catalogue | null): string {
  if (currentKey() === null) return t('public');
  return catalogue?.clearance ? t(catalogue.clearance) : t('keyInUse');
}

function languageSwitch(): HTMLElement {
  const buttons = LANGUAGES.map(([code, name, tag]) =>
    element(
      'button',
      {
        type: 'button',
        lang: tag,
        'data-language': code,
        'aria-pressed': String(code === language()),
        onclick: () => choose(code),
      },
      name,
    ),
  );
  const label = { role: 'group', 'aria-label': t('language') };
  return element('div', { class: 'language-switch', ...label }, ...buttons);
}

/** The bar is built anew with the language; the focus goes to the same button in it. */
function choose(code: Language): void {
  setLanguage(code);
  document.querySelector<HTMLElement>(`[data-language=${code}]`)?.focus();
}
