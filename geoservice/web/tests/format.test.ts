import { beforeEach, describe, expect, test } from 'vitest';
import { formatAge, formatDistance, formatInterval, setTimeZone } from '../src/format.ts';
import { inLanguage, inOtherLanguage, preferredLanguage, setLanguage } from '../src/i18n.ts';
import { MESSAGES } from '../src/messages.ts';

beforeEach(() => {
  setLanguage('zh');
  setTimeZone('Asia/Shanghai');
});

describe('formatAge', () => {
  test.each([
    [-3, '刚刚'],
    [4.9, '刚刚'],
    [59.9, '59 秒前'],
    [60, '1 分钟前'],
    [3599, '59 分钟前'],
    [3600, '1 小时前'],
    [86400, '1 天前'],
  ])('%d s is %s', (age_s, text) => {
    expect(formatAge(age_s)).toBe(text);
  });
});

test('distances are in metres below one kilometre', () => {
  expect([999, 1000, 12_345].map(formatDistance)).toEqual(['999 米', '1 公里', '12.3 公里']);
});

test('open ends of an interval are told as such', () => {
  const start = '2015-01-01T00:00:00+08:00';

  expect(formatInterval([start, null])).toBe('2015年1月1日 00:00 起');
  expect(formatInterval([null, start])).toBe('至 2015年1月1日 00:00');
  expect(formatInterval([null, null])).toBe('不限');
});

test('the language is Chinese for readers of Chinese and where none is known', () => {
  const languages = [[], ['zh-CN'], ['en-GB'], ['fr']].map(preferredLanguage);

  expect(languages).toEqual(['zh', 'zh', 'en', 'en']);
});

test('a title in one language only is shown in that one, once', () => {
  setLanguage('en');
  const title = { zh: '岩土', en: '' };

  expect(inLanguage(title)).toBe('岩土');
  expect(inOtherLanguage(title)).toBe('');
});

test('both languages of every message take the same values', () => {
  const namesIn = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

  for (const message of Object.values(MESSAGES)) {
    expect(namesIn(message.en)).toEqual(namesIn(message.zh));
  }
});
