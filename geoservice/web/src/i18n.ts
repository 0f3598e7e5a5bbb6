/** The chosen language, texts in it, and who must be told when it changes. */

import { MESSAGES, type MessageKey } from './messages.ts';
import { recall, remember } from './storage.ts';
import type { Title } from './types.ts';

export type Language = 'zh' | 'en';

const STORAGE_KEY = 'geoservice.language';
const listeners = new Set<() => void>();
let current: Language = 'zh';

/** Chinese where the reader has it among their languages, or has none; else English. */
export function preferredLanguage(languages: readonly string[]): Language {
  if (languages.length === 0) return 'zh';
  return languages.some((tag) => tag.toLowerCase().startsWith('zh')) ? 'zh' : 'en';
}

/** Takes the remembered language, else the browser's first one. */
export function startLanguage(): void {
  const remembered = recall(STORAGE_KEY);
  const known = remembered === 'zh' || remembered === 'en';
  apply(known ? remembered : preferredLanguage([navigator.language].filter(Boolean)));
}

export function language(): Language {
  return current;
}

export function setLanguage(next: Language): void {
  remember(STORAGE_KEY, next);
  apply(next);
  for (const listener of listeners) listener();
}

/** Calls `render` now and whenever the language changes. */
export function onLanguage(render: () => void): void {
  listeners.add(render);
  render();
}

/** A text of the page in the chosen language, with its `{names}` filled in. */
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return fill(MESSAGES[key][current], values);
}

/** A text in both languages, for readers who may not have chosen one yet. */
export function inBoth(key: MessageKey): string {
  return `${MESSAGES[key].zh} ${MESSAGES[key].en}`;
}

/** A title in the chosen language, or in the other one where it has none. */
export function inLanguage(title: Title): string {
  return title[current] || title[otherLanguage()];
}

/** A title in the language that was not chosen; empty where it says nothing new. */
export function inOtherLanguage(title: Title): string {
  const other = title[otherLanguage()];
  return other === inLanguage(title) ? '' : other;
}

/** A text of the page in the language that was not chosen; empty where it says nothing new. */
export function inOther(key: MessageKey): string {
  return inOtherLanguage(MESSAGES[key]);
}

/** Words one after another, as the language separates them. */
export function listOf(words: string[]): string {
  return words.join(current === 'zh' ? '、' : ', ');
}

/** Words of the other language one after another. */
export function otherListOf(words: string[]): string {
  return words.join(current === 'zh' ? ', ' : '、');
}

/** BCP 47 tag for `Intl` and the `lang` attribute. */
export function locale(): string {
  return current === 'zh' ? 'zh-CN' : 'en-GB';
}

export function otherLocale(): string {
  return current === 'zh' ? 'en-GB' : 'zh-CN';
}

function otherLanguage(): Language {
  return current === 'zh' ? 'en' : 'zh';
}

function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

function apply(next: Language): void {
  current = next;
  if (typeof document === 'undefined') return;
  document.documentElement.lang = locale();
  document.title = t('service');
}
