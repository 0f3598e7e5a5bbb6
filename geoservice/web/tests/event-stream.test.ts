import { expect, test } from 'vitest';
import { EventParser } from '../src/event-stream.ts';

test('events come out whole, however the stream is cut', () => {
  const stream = 'id: 1\r\nevent: state\r\ndata: {"a":1}\r\n\r\n: ping\r\n\r\nid: 2\r\ndata: x\r\ndata: y\r\n\r\n';

  for (const size of [1, 2, 3, 7, 1000]) {
    const parser = new EventParser();
    const pieces = stream.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? [];
    expect(pieces.flatMap((piece) => parser.feed(piece))).toEqual([
      { id: '1', data: '{"a":1}' },
      { id: '2', data: 'x\ny' },
    ]);
  }
});

test('an event that has not ended does not come out', () => {
  expect(new EventParser().feed('id: 1\ndata: half\n')).toEqual([]);
});
