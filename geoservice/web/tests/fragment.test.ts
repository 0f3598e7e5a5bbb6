import { describe, expect, test } from 'vitest';
import { splitKey } from '../src/fragment.ts';
import { isToken } from '../src/key.ts';

describe('splitKey', () => {
  test('takes the key out and leaves the position as it was written', () => {
    expect(splitKey('#key=abc.def&map=12/22.5/114.1')).toEqual({
      key: 'abc.def',
      rest: '#map=12/22.5/114.1',
    });
  });

  test('leaves nothing where there was only a key', () => {
    expect(splitKey('#key=abc')).toEqual({ key: 'abc', rest: '' });
  });

  test('finds no key in a position', () => {
    expect(splitKey('#map=12/22.5/114.1')).toEqual({ key: null, rest: '#map=12/22.5/114.1' });
  });

  test('takes out an empty key without calling it one', () => {
    expect(splitKey('#map=1/2/3&key=')).toEqual({ key: null, rest: '#map=1/2/3' });
  });

  test('takes out every key and keeps the last', () => {
    expect(splitKey('#key=one&map=1/2/3&key=two')).toEqual({ key: 'two', rest: '#map=1/2/3' });
  });

  test('does not mistake another parameter for the key', () => {
    expect(splitKey('#monkey=1&keys=2')).toEqual({ key: null, rest: '#monkey=1&keys=2' });
  });

  test('decodes escapes, keeps plus signs, and survives broken escapes', () => {
    expect(splitKey('#key=a%2Fb+c').key).toBe('a/b+c');
    expect(splitKey('#key=%zz').key).toBe('%zz');
  });
});

describe('isToken', () => {
  test.each(['abc', 'a.b-c_d~e+f/g==', 'gs_0123456789'])('takes %s', (text) => {
    expect(isToken(text)).toBe(true);
  });

  test.each(['', 'two words', 'line\nbreak', '密钥', 'a=b'])('refuses %j', (text) => {
    expect(isToken(text)).toBe(false);
  });
});
