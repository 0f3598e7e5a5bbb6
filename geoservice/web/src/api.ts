/** Requests to the service this page came from, and to no other host. */

import { t } from './i18n.ts';
import { currentKey } from './key.ts';
import type { Choice } from './look.ts';
import type { AvailabilityCollection, CityStyle, FeatureItem } from './types.ts';

/** What the service said was wrong (RFC 9457), or that it could not be reached (status 0). */
export class ServiceError extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.name = 'ServiceError';
    this.status = status;
  }
}

/** A path of the service as an absolute address. Raises an error for any other origin. */
export function serviceUrl(path: string): string {
  const url = new URL(path, location.origin);
  if (url.origin !== location.origin) throw new Error(`not this service: ${url.origin}`);
  return url.href;
}

/** The header that carries a key; none without one. */
export function authorization(key: string | null = currentKey()): Record<string, string> {
  return key === null ? {} : { Authorization: `Bearer ${key}` };
}

export function fetchStyle(
  { look, instant }: Choice,
  key: string | null = currentKey(),
): Promise<CityStyle> {
  const name = look === 'day' ? 'city' : `city-${look}`;
  return getJson<CityStyle>(`/styles/${name}.json${timeQuery(instant)}`, { key });
}

/** A feature as it is, or as it was at an instant. */
export function fetchItem(
  layer: string,
  id: number,
  instant: string | null,
  signal: AbortSignal,
): Promise<FeatureItem> {
  const path = `/collections/${encodeURIComponent(layer)}/items/${id}${timeQuery(instant)}`;
  return getJson<FeatureItem>(path, { signal });
}

function timeQuery(instant: string | null): string {
  return instant === null ? '' : `?${new URLSearchParams({ datetime: instant })}`;
}

export function fetchAvailability(
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<AvailabilityCollection> {
  return getJson<AvailabilityCollection>(`/availability?${query}`, { signal });
}

/** Whether the service and its database answer. */
export async function isServiceReady(): Promise<boolean> {
  try {
    return (await fetch(serviceUrl('/readyz'), { cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}

/** Why something failed, in a few words for the reader. */
export function reasonOf(error: unknown): string {
  const status = statusOf(error);
  if (status === 0 || error instanceof TypeError) return t('offline');
  if (error instanceof ServiceError && error.message) return error.message;
  return status === undefined ? messageOf(error) : t('statusCode', { status });
}

/** The HTTP status of an error of this module or of MapLibre's requests. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === 'number' ? status : undefined;
}

export function isAbort(error: unknown): boolean {
  return (error as { name?: unknown } | null)?.name === 'AbortError';
}

const JSON_BODY = { 'Content-Type': 'application/json' };

interface RequestOptions {
  key?: string | null;
  signal?: AbortSignal;
}

/** Sends a request that changes something, and reads what became of it. */
export async function sendJson<T>(
  method: 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<T> {
  const headers = { ...authorization(), ...(body !== undefined && JSON_BODY) };
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await request(path, { method, headers, ...content });
  if (!response.ok) throw new ServiceError(response.status, await detailOf(response));
  return (await response.json()) as T;
}

/** A picture of the service as an address that an image may have; to be revoked after use. */
export async function getPicture(path: string, signal: AbortSignal): Promise<string> {
  const response = await request(path, { headers: authorization(), signal });
  if (!response.ok) throw new ServiceError(response.status, await detailOf(response));
  return URL.createObjectURL(await response.blob());
}

export async function getJson<T>(
  path: string,
  { key = currentKey(), signal }: RequestOptions = {},
): Promise<T> {
  const response = await request(path, {
    headers: { Accept: 'application/json, application/geo+json', ...authorization(key) },
    ...(signal && { signal }),
  });
  if (!response.ok) throw new ServiceError(response.status, await detailOf(response));
  return (await response.json()) as T;
}

async function request(path: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(serviceUrl(path), options);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ServiceError(0, '');
  }
}

/** The `detail` of a problem document, else its title, else nothing. */
async function detailOf(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as { detail?: string; title?: string };
    return problem.detail || problem.title || '';
  } catch {
    return '';
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
