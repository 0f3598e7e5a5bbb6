/**
 * Server-Sent Events read through `fetch`: the browser's own `EventSource` sends no key.
 *
 * See the HTML standard, 9.2.6, for the form of the stream.
 */

export interface StreamEvent {
  id: string | null;
  data: string;
}

/** Splits a stream of text, however it is cut into pieces, into events. */
export class EventParser {
  #rest = '';

  /** Takes in the next piece. Returns: The events that it completes. */
  feed(piece: string): StreamEvent[] {
    const blocks = (this.#rest + piece).replaceAll('\r\n', '\n').split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.map(parseBlock).filter((event) => event !== null);
  }
}

function parseBlock(block: string): StreamEvent | null {
  let id: string | null = null;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id') id = value;
    if (name === 'data') data.push(value);
  }
  // A block without data is a comment that keeps the connection open.
  return data.length > 0 ? { id, data: data.join('\n') } : null;
}

/** Reads events from the body of an answer until it ends. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
