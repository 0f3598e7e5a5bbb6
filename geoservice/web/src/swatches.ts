/** The small drawings that explain colours. */

import { type DisplayState, SWATCHES } from './availability.ts';
import { drawing, element } from './dom.ts';
import { otherLocale } from './i18n.ts';
import type { LegendEntry } from './types.ts';

const WIDTH = 26;
const HEIGHT = 16;

/** A line, an area or a dot in the colour of a legend entry. */
export function legendSwatch({ shape, color }: LegendEntry): SVGSVGElement {
  const middle = HEIGHT / 2;
  if (shape === 'line') {
    const line = { x1: 2, y1: middle, x2: WIDTH - 2, y2: middle };
    const casing = isPale(color) ? '#8a929b' : color;
    return drawing(
      WIDTH,
      HEIGHT,
      ['line', { ...line, stroke: casing, 'stroke-width': 6 }],
      ['line', { ...line, stroke: color, 'stroke-width': 4 }],
    );
  }
  if (shape === 'fill') {
    const box = { x: 3, y: 2, width: WIDTH - 6, height: HEIGHT - 4, rx: 2 };
    const paint = { fill: color, stroke: '#5b6470', 'stroke-width': 0.8 };
    return drawing(WIDTH, HEIGHT, ['rect', { ...box, ...paint }]);
  }
  return dot(color, '#5b6470', 0.8);
}

/** A row of a legend: what it looks like, what it means in both languages, and perhaps a count. */
export function legendItem(
  swatch: SVGSVGElement,
  text: string,
  otherText: string,
  count: string | null = null,
): HTMLLIElement {
  return element(
    'li',
    {},
    swatch,
    element('span', {}, text, ' ', otherText && element('small', { lang: otherLocale() }, otherText)),
    count !== null && element('b', {}, count),
  );
}

/**
 * The dot of a state of live availability, as the map draws it.
 *
 * Args:
 *   ring: The colour of the last known status, where the state is stale.
 */
export function stateSwatch(state: DisplayState, ring = SWATCHES[state].ring): SVGSVGElement {
  const { fill } = SWATCHES[state];
  return dot(fill, ring, state === 'stale' || state === 'unknown' ? 2.2 : 1);
}

/** Whether a `#rrggbb` colour would be lost on white without an outline (ITU-R BT.709 luma). */
export function isPale(color: string): boolean {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 205;
}

/** A dot with a ring, `radius` pixels wide. */
export function dot(fill: string, stroke: string, width: number, radius = 5.5): SVGSVGElement {
  const circle = { cx: WIDTH / 2, cy: HEIGHT / 2, r: radius, fill, stroke, 'stroke-width': width };
  return drawing(WIDTH, HEIGHT, ['circle', circle]);
}
