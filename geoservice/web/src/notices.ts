/** Messages to the reader: the strip of notices, the bar of loading, the cover before the map. */

import { byId, element, fillWith } from './dom.ts';
import { icon } from './icons.ts';
import { onLanguage, t } from './i18n.ts';

export interface Notice {
  text: () => string;
  /** Adds a button that dismisses the notice and tries again. */
  retry?: () => void;
}

const notices = new Map<string, Notice>();

/** Shows a notice until it is dismissed; one with the same id takes its place. */
export function showNotice(id: string, notice: Notice): void {
  notices.set(id, notice);
  renderNotices();
}

export function dismissNotice(id: string): void {
  if (notices.delete(id)) renderNotices();
}

/** Prepares the places for messages; to be called once, before anything can go wrong. */
export function startNotices(): void {
  byId('notices').setAttribute('role', 'alert');
  onLanguage(renderNotices);
}

/** Shows or hides the bar that says that data are on their way. */
export function showProgress(busy: boolean): void {
  const bar = byId('progress');
  bar.hidden = !busy;
  bar.setAttribute('aria-label', t('loadingTiles'));
}

/** Covers the stage while the map is being loaded. */
export function coverLoading(): void {
  const text = element('p', { role: 'status' }, t('loading'));
  fillWith(byId('cover'), element('div', { class: 'cover-card' }, text));
  byId('cover').hidden = false;
}

/** Covers the stage with what went wrong and a way to try again. */
export function coverError(reason: string, retry: () => void): void {
  const card = element(
    'div',
    { class: 'cover-card', role: 'alert' },
    element('h2', {}, t('startFailed')),
    element('p', {}, reason),
    element('button', { type: 'button', class: 'primary', onclick: retry }, t('retry')),
  );
  fillWith(byId('cover'), card);
  byId('cover').hidden = false;
}

export function uncover(): void {
  byId('cover').hidden = true;
}

function renderNotices(): void {
  fillWith(byId('notices'), ...[...notices].map(([id, notice]) => noticeElement(id, notice)));
}

function noticeElement(id: string, { text, retry }: Notice): HTMLElement {
  const dismiss = () => dismissNotice(id);
  const again = () => {
    retry?.();
    dismiss();
  };
  return element(
    'div',
    { class: 'notice' },
    element('p', {}, text()),
    retry && element('button', { type: 'button', onclick: again }, t('retry')),
    element(
      'button',
      { type: 'button', class: 'plain', 'aria-label': t('dismiss'), onclick: dismiss },
      icon('close'),
    ),
  );
}
