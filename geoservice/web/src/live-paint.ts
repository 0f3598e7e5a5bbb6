/** How circles follow the feature state that `live.ts` sets: the same swatches as the legend. */

import type { CircleLayerSpecification, ExpressionSpecification } from 'maplibre-gl';
import { type DisplayState, NOT_ASKED, statusColor, SWATCHES } from './availability.ts';
import type { Status } from './types.ts';

type CirclePaint = NonNullable<CircleLayerSpecification['paint']>;
type PaintEntry = { [K in keyof CirclePaint]-?: [K, CirclePaint[K]] }[keyof CirclePaint];

const STATUSES: Status[] = ['open', 'spacesAvailable', 'almostFull', 'full', 'closed'];
const STATES = Object.keys(SWATCHES) as DisplayState[];

/**
 * Paint properties of a circle layer whose features carry `state` and `status`.
 *
 * Args:
 *   rim: The colour of a ring that means nothing.
 */
export function livePaint(rim: string): PaintEntry[] {
  const fills = STATES.flatMap((state) => [state, SWATCHES[state].fill]);
  const rings = STATUSES.flatMap((status) => [status, statusColor(status)]);
  const fill = matching('state', fills, NOT_ASKED.fill);
  const lastKnown = matching('status', rings, SWATCHES.unknown.ring);
  const ring = matching('state', ['stale', lastKnown, 'unknown', SWATCHES.unknown.ring], rim);
  return [
    ['circle-color', fill],
    ['circle-opacity', 1],
    ['circle-radius', byZoom(radius)],
    ['circle-stroke-color', ring],
    ['circle-stroke-width', byZoom(ringWidth)],
  ];
}

/** Small where many facilities share the screen, yet never too small to tell colours apart. */
function byZoom(valueAt: (factor: number) => Output): ExpressionSpecification {
  const stops = [
    [9, 0.12],
    [12, 0.3],
    [14, 0.6],
    [15, 0.9],
    [16, 1.2],
    [19, 1.9],
  ] as const;
  const values = stops.flatMap(([zoom, factor]) => [zoom, valueAt(factor)]);
  return ['interpolate', ['linear'], ['zoom'], ...values] as unknown as ExpressionSpecification;
}

/** Facilities of which nothing is known step back behind those that have something to tell. */
function radius(factor: number): ExpressionSpecification {
  const told = STATES.filter((state) => state !== 'unknown').flatMap((s) => [s, 7 * factor]);
  return matching('state', ['unknown', 5 * factor, ...told], 4 * factor);
}

/** The ring carries meaning for stale and unknown facilities, so it is wider there. */
function ringWidth(factor: number): ExpressionSpecification {
  return matching('state', ['stale', 2.5 * factor, 'unknown', 2 * factor], 1.2 * factor);
}

type Output = string | number | ExpressionSpecification;

function matching(key: string, cases: Output[], otherwise: Output): ExpressionSpecification {
  const input = ['coalesce', ['feature-state', key], 'not asked'];
  return ['match', input, ...cases, otherwise] as unknown as ExpressionSpecification;
}
