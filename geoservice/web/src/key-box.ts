/** The box in which a key is typed or forgotten. */

import { fetchStyle, reasonOf, statusOf } from './api.ts';
import { element, fillWith } from './dom.ts';
import { icon } from './icons.ts';
import { inBoth, t } from './i18n.ts';
import { currentKey, isToken, keepKey } from './key.ts';

/** Builds the dialog in the page. Returns: How to open it. */
export function createKeyBox(): () => void {
  const dialog = element('dialog', { class: 'key-box', 'aria-labelledby': 'key-title' });
  document.body.append(dialog);
  return () => {
    fillWith(dialog, boxContent(dialog));
    dialog.showModal();
  };
}

/**
 * Starts the page again with another key, or none. A fresh page is the one sure way to drop every
 * tile and attribute that was read with the former key.
 */
function startAgain(key: string | null): void {
  keepKey(key);
  location.reload();
}

function boxContent(dialog: HTMLDialogElement): HTMLElement {
  const remark = element('p', { class: 'remark bad', role: 'alert' });
  const input = element('input', {
    type: 'password',
    name: 'key',
    id: 'key-input',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    autofocus: true,
  });
  const submit = (event: Event) => {
    event.preventDefault();
    void tryKey(input.value.trim(), remark);
  };
  return element(
    'form',
    { onsubmit: submit },
    boxHeader(dialog),
    element('p', { class: 'quiet' }, t('keyHelp')),
    element('label', { class: 'field', for: 'key-input' }, element('span', {}, t('keyInput'))),
    input,
    remark,
    boxButtons(),
  );
}

function boxHeader(dialog: HTMLDialogElement): HTMLElement {
  const attributes = { type: 'button', class: 'plain', 'aria-label': t('close') };
  return element(
    'header',
    {},
    element('h2', { id: 'key-title' }, t('key')),
    element('button', { ...attributes, onclick: () => dialog.close() }, icon('close')),
  );
}

function boxButtons(): HTMLElement {
  const forget = { type: 'button', onclick: () => startAgain(null) };
  return element(
    'div',
    { class: 'buttons' },
    element('button', { type: 'submit', class: 'primary' }, t('keyUse')),
    currentKey() !== null && element('button', forget, t('keyForget')),
  );
}

/** Uses a key only after the service has taken it; until then the former one stays. */
async function tryKey(key: string, remark: HTMLElement): Promise<void> {
  if (!isToken(key)) return fillWith(remark, t('keyMalformed'));
  fillWith(remark, t('keyChecking'));
  try {
    await fetchStyle({ look: 'day', instant: null }, key);
    startAgain(key);
  } catch (error) {
    fillWith(remark, statusOf(error) === 401 ? inBoth('keyWrong') : reasonOf(error));
  }
}
