/** The map's own buttons: its looks, the way through time, and relief. */

import type { IControl } from 'maplibre-gl';
import type { Appearance } from './appearance.ts';
import { element, fillWith } from './dom.ts';
import { icon } from './icons.ts';
import { onLanguage, t } from './i18n.ts';
import { LOOKS, type Look } from './look.ts';
import type { MessageKey } from './messages.ts';

const LOOK_LABELS: Record<Look, MessageKey> = {
  day: 'lookDay',
  night: 'lookNight',
  print: 'lookPrint',
};
const LOOK_ICONS = { day: 'sun', night: 'moon', print: 'printer' } as const;

/** A button of the map that is pressed or not. */
export interface Toggle {
  name: string;
  icon: Parameters<typeof icon>[0];
  label: MessageKey;
  isPressed: () => boolean;
  press: () => void;
}

/** A group of toggles; `render` brings them in step with what they stand for. */
export class ButtonGroup implements IControl {
  readonly #container = element('div', { class: 'maplibregl-ctrl maplibregl-ctrl-group' });
  readonly #toggles: Toggle[];

  constructor(toggles: Toggle[]) {
    this.#toggles = toggles;
  }

  onAdd(): HTMLElement {
    onLanguage(() => this.render());
    return this.#container;
  }

  onRemove(): void {
    this.#container.remove();
  }

  render(): void {
    const held = (document.activeElement as HTMLElement | null)?.dataset['button'];
    fillWith(this.#container, ...this.#toggles.map(button));
    if (held) this.#container.querySelector<HTMLElement>(`[data-button=${held}]`)?.focus();
  }
}

/** One button for each look. */
export function lookToggles(appearance: Appearance): Toggle[] {
  return LOOKS.map((look) => ({
    name: `look-${look}`,
    icon: LOOK_ICONS[look],
    label: LOOK_LABELS[look],
    isPressed: () => appearance.choice.look === look,
    press: () => void appearance.choose({ look }),
  }));
}

function button(toggle: Toggle): HTMLElement {
  const label = t(toggle.label);
  return element(
    'button',
    {
      type: 'button',
      class: 'map-button',
      'data-button': toggle.name,
      'aria-pressed': String(toggle.isPressed()),
      'aria-label': label,
      title: label,
      onclick: toggle.press,
    },
    icon(toggle.icon),
  );
}
