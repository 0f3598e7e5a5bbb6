/** What happens, as it happens: changes of live figures within a window of the map, alerts. */

import { authorization, serviceUrl } from './api.ts';
import { readEvents } from './event-stream.ts';
import type { Freshness, Status } from './types.ts';

const AGAIN_MS = 2000;
/** How long the first answer waits for the stream. */
const PATIENCE_MS = 1000;

/** One change, as the service tells it. */
export interface LiveChange {
  event_no: number;
  feature_id: number;
  available: number | null;
  capacity: number | null;
  status: Status;
  is_open: boolean | null;
  observed_at: string;
  freshness?: Freshness;
}

/** Listens to one thing at a time; comes back by itself and is told what it missed. */
export class LiveStream<Change extends { event_no: number }> {
  readonly #tell: (change: Change) => void;
  #listening = new AbortController();
  #followed = '';
  #last = 0;

  constructor(tell: (change: Change) => void) {
    this.#tell = tell;
  }

  /**
   * Listens to what a query of the stream asks for, such as a bbox; the one before is left.
   *
   * Returns: Once it listens, so that what is asked for afterwards misses nothing; or after a
   * moment, if it cannot.
   */
  follow(asked: Record<string, string>): Promise<void> {
    const query = new URLSearchParams(asked).toString();
    if (query === this.#followed) return Promise.resolve();
    this.stop();
    this.#followed = query;
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    return new Promise((listens) => {
      window.setTimeout(listens, PATIENCE_MS);
      void this.#listen(query, signal, listens);
    });
  }

  stop(): void {
    this.#followed = '';
    this.#last = 0;
    this.#listening.abort();
  }

  async #listen(asked: string, signal: AbortSignal, listens: () => void): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#read(asked, signal, listens);
      } catch {
        // Whatever it was, figures are asked for again every half minute all the same.
      }
      await new Promise((resume) => window.setTimeout(resume, AGAIN_MS));
    }
  }

  async #read(asked: string, signal: AbortSignal, listens: () => void): Promise<void> {
    const query = new URLSearchParams(asked);
    if (this.#last > 0) query.set('last_event_id', String(this.#last));
    const headers = { Accept: 'text/event-stream', ...authorization() };
    const path = serviceUrl(`/availability/stream?${query}`);
    const response = await fetch(path, { headers, signal });
    if (!response.ok || !response.body) return;
    for await (const { data } of readEvents(response.body)) {
      const said = JSON.parse(data) as Change | { after: number };
      if ('after' in said) {
        this.#last = Math.max(this.#last, said.after);
        listens();
      } else {
        this.#last = said.event_no;
        this.#tell(said);
      }
    }
  }
}
