/** The few icons of the page, drawn as strokes so that they need no font and no request. */

import { drawing } from './dom.ts';

const PATHS = {
  layers: 'M10 3 18 7.500 10 12 2 7.500ZM2.500 11.500 10 15.500 17.500 11.500',
  pin: 'M10 18C6 13 4.500 10.500 4.500 8a5.500 5.500 0 0 1 11 0c0 2.500-1.500 5-5.500 10ZM10 6v4M8 8h4',
  key: 'M10 10a3.500 3.500 0 1 0-7 0 3.500 3.500 0 0 0 7 0ZM10 10h8v3M14.500 10v2.500',
  upload: 'M10 13V3M6 7l4-4 4 4M3 13v3.500h14V13',
  pipes: 'M2 6h7v8h9M2 10h3v8M15 11v6',
  bell: 'M4.500 14h11l-1.500-2.500V8a4 4 0 0 0-8 0v3.500ZM8.500 16.500h3',
  close: 'M5 5 15 15M15 5 5 15',
  left: 'M12 4 6 10 12 16',
  right: 'M8 4 14 10 8 16',
  sun: 'M10 6.500a3.500 3.500 0 1 0 .1 0M10 1.500v2M10 16.500v2M1.500 10h2M16.500 10h2M4 4l1.500 1.500M14.500 14.500 16 16M16 4l-1.500 1.500M5.500 14.500 4 16',
  moon: 'M16 12.500A7 7 0 0 1 7.500 4 7 7 0 1 0 16 12.500Z',
  printer: 'M6 8V3h8v5M6 14H3V8h14v6h-3M6 12h8v5H6Z',
  clock: 'M10 3a7 7 0 1 0 .1 0M10 6v4l3 2',
  relief: 'M1.500 16 7.500 5l4 7 2.500-3.500 4.500 7.500Z',
  target: 'M10 2v4M10 14v4M2 10h4M14 10h4M10 5.500a4.500 4.500 0 1 0 .1 0',
} as const;

export function icon(name: keyof typeof PATHS): SVGSVGElement {
  return drawing(20, 20, [
    'path',
    {
      d: PATHS[name],
      fill: 'none',
      stroke: 'currentColor',
      'stroke-width': 1.7,
      'stroke-linecap': 'round',
      'stroke-linejoin': 'round',
    },
  ]);
}
