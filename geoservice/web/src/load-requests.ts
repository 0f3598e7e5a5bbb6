/** Requests of loading: upload with progress, questions, events. */

import { authorization, getJson, serviceUrl, ServiceError, sendJson } from './api.ts';
import { readEvents } from './event-stream.ts';
import type { LoadJob, LoadList, LoadPreview, Wish } from './load-types.ts';

const RETRY_MS = 2_000;

export interface Upload {
  parameters: URLSearchParams;
  files: File[];
  /** JSON of columns, values and constants; empty for none. */
  mapping: string;
}

export function fetchLoads(): Promise<LoadList> {
  return getJson<LoadList>('/loads');
}

export function fetchLoad(id: number): Promise<LoadJob> {
  return getJson<LoadJob>(`/loads/${id}`);
}

export function fetchPreview(id: number): Promise<LoadPreview> {
  return getJson<LoadPreview>(`/loads/${id}/preview.json`);
}

export function askOf(id: number, wish: Wish): Promise<LoadJob> {
  if (wish === 'cancel') return sendJson<LoadJob>('DELETE', `/loads/${id}`);
  return sendJson<LoadJob>('POST', `/loads/${id}/${wish}`);
}

/**
 * Uploads files. `fetch` tells nothing of how far an upload is, so this is the older way.
 *
 * Args:
 *   onProgress: Told the share that is up, 0 to 1.
 */
export function uploadFiles(
  { parameters, files, mapping }: Upload,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<LoadJob> {
  const body = new FormData();
  if (mapping) body.append('mapping', mapping);
  for (const file of files) body.append('file', file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', serviceUrl(`/loads?${parameters}`));
    for (const [name, value] of Object.entries(authorization())) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onerror = () => reject(new ServiceError(0, ''));
    request.onabort = () => reject(new DOMException('', 'AbortError'));
    request.onload = () => {
      if (request.status === 202) resolve(JSON.parse(request.responseText) as LoadJob);
      else reject(new ServiceError(request.status, problemText(request.responseText)));
    };
    signal.addEventListener('abort', () => request.abort());
    request.send(body);
  });
}

function problemText(text: string): string {
  try {
    const problem = JSON.parse(text) as { detail?: string; title?: string };
    return problem.detail || problem.title || '';
  } catch {
    return '';
  }
}

/**
 * Follows a load until nothing more happens to it by itself; a broken connection is made again.
 *
 * Raises an error where the service refuses.
 */
export async function followLoad(
  id: number,
  onChange: (job: LoadJob) => void,
  signal: AbortSignal,
): Promise<void> {
  let known: string | null = null;
  while (!signal.aborted) {
    try {
      const response = await fetch(serviceUrl(`/loads/${id}/events`), {
        headers: { ...authorization(), ...(known !== null && { 'Last-Event-ID': known }) },
        signal,
      });
      if (response.status === 204) return;
      if (response.status >= 400 && response.status < 500) {
        throw new ServiceError(response.status, '');
      }
      if (response.ok && response.body) {
        for await (const event of readEvents(response.body)) {
          known = event.id;
          onChange(JSON.parse(event.data) as LoadJob);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ServiceError) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
