/** Building the page: elements with attributes, handlers and children in one call. */

type Child = Node | string | null | undefined | false;
type Handler = (event: Event) => void;
type Attributes = Record<string, string | number | boolean | Handler | null | undefined>;

/**
 * An element. Attributes named `on...` are handlers; `true` sets a bare attribute; `false`, null
 * and undefined leave it out. Text is never read as HTML.
 */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  node.append(...present(children));
  return node;
}

/** Replaces all children of a node. */
export function fillWith(node: Element, ...children: Child[]): void {
  node.replaceChildren(...present(children));
}

/** An element that `index.html` is known to hold. */
export function byId(id: string): HTMLElement {
  const node = document.getElementById(id);
  if (!node) throw new Error(`index.html has no #${id}`);
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A drawing for swatches and icons; decoration only, so hidden from screen readers. */
export function drawing(
  width: number,
  height: number,
  ...shapes: [tag: string, attributes: Record<string, string | number>][]
): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  const frame = { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' };
  setAll(svg, frame);
  for (const [tag, attributes] of shapes) {
    svg.append(setAll(document.createElementNS(SVG, tag), attributes));
  }
  return svg;
}

function setAll<T extends Element>(node: T, attributes: Record<string, string | number>): T {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}

function setAttribute(node: Element, name: string, value: Attributes[string]): void {
  if (typeof value === 'function') node.addEventListener(name.slice('on'.length), value);
  else if (value === true) node.setAttribute(name, '');
  else if (value !== false && value != null) node.setAttribute(name, String(value));
}

function present(children: Child[]): (Node | string)[] {
  return children.filter((child): child is Node | string => Boolean(child));
}
