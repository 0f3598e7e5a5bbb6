/** Starts the page: the key, the style, the map, and everything around it. */

import 'maplibre-gl/dist/maplibre-gl.css';
import './styles/page.css';
import './styles/panel.css';
import './styles/details.css';
import './styles/loads.css';
import './styles/map.css';
import './styles/looks.css';
import type { Map as CityMap } from 'maplibre-gl';
import { Alerts } from './alerts.ts';
import { Appearance } from './appearance.ts';
import { fetchStyle, reasonOf, statusOf } from './api.ts';
import { type Catalogue, LIVE_LAYER, readCatalogue } from './catalogue.ts';
import { createClicks } from './clicks.ts';
import { Details } from './details.ts';
import { byId, element } from './dom.ts';
import { watchFailures } from './failures.ts';
import { setTimeZone } from './format.ts';
import { createHeader } from './header.ts';
import { hitsAt } from './hits.ts';
import { inBoth, startLanguage, t } from './i18n.ts';
import { currentKey, refuseKey, startKey, takeKeyFromAddress, wasKeyRefused } from './key.ts';
import { createKeyBox } from './key-box.ts';
import { createLayerList } from './layer-list.ts';
import { LiveAvailability } from './live.ts';
import type { LoadList } from './load-types.ts';
import { fetchLoadable, Loads } from './loads.ts';
import { type Choice, currentChoice } from './look.ts';
import { ButtonGroup, lookToggles, type Toggle } from './map-buttons.ts';
import { createMap } from './map-view.ts';
import { Nearest } from './nearest.ts';
import { coverError, coverLoading, showNotice, startNotices, uncover } from './notices.ts';
import { Network, PIPES_LAYER } from './network.ts';
import { Panel } from './panel.ts';
import { createSelection } from './selection.ts';
import { Relief } from './terrain.ts';
import { TimeBar } from './time-bar.ts';
import type { CityStyle } from './types.ts';
import { createVisibility } from './visibility.ts';

declare global {
  interface Window {
    /** The map, for tests and for the console. */
    geoserviceMap?: CityMap;
  }
}

function start(): void {
  startLanguage();
  startKey();
  startNotices();
  window.addEventListener('hashchange', () => takeKeyFromAddress() && location.reload());
  const describe = createHeader(byId('header'), createKeyBox());
  void openCity(describe);
}

async function openCity(describe: (catalogue: Catalogue) => void): Promise<void> {
  coverLoading();
  try {
    const choice = currentChoice();
    const style = await fetchStyleOrPublic(choice);
    if (wasKeyRefused()) showNotice('key', { text: () => inBoth('keyRefused') });
    const catalogue = readCatalogue(style);
    setTimeZone(catalogue.city.time_zone);
    describe(catalogue);
    openMap(style, catalogue, choice, await fetchLoadable());
    uncover();
  } catch (error) {
    coverError(failureText(error), () => void openCity(describe));
  }
}

/** The style for the key of this tab, or the public one where the key is refused. */
async function fetchStyleOrPublic(choice: Choice): Promise<CityStyle> {
  try {
    return await fetchStyle(choice);
  } catch (error) {
    if (statusOf(error) !== 401 || currentKey() === null) throw error;
    refuseKey();
    return fetchStyle(choice);
  }
}

function openMap(
  style: CityStyle,
  catalogue: Catalogue,
  choice: Choice,
  loadable: LoadList | null,
): void {
  const map = createMap(byId('map'), style);
  window.geoserviceMap = map;
  map.once('idle', () => (document.body.dataset['ready'] = 'true'));
  watchFailures(map, catalogue);
  const visibility = createVisibility(map, catalogue);
  const selection = createSelection(map);
  const appearance = new Appearance(map, catalogue, visibility, choice);
  const live = new LiveAvailability(map, catalogue, visibility, appearance);
  const layers = element('div', { class: 'tab-body layer-list' });
  const nearest = element('div', { class: 'tab-body' });
  const loads = element('div', { class: 'tab-body' });
  const network = element('div', { class: 'tab-body' });
  const alerts = element('div', { class: 'tab-body' });
  const panel = new Panel(byId('panel'), [
    { name: 'layers', icon: 'layers', body: layers },
    ...(catalogue.byName.has(LIVE_LAYER)
      ? [{ name: 'nearest', icon: 'pin', body: nearest } as const]
      : []),
    ...(catalogue.byName.has(PIPES_LAYER)
      ? [{ name: 'network', icon: 'pipes', body: network } as const]
      : []),
    ...(currentKey() !== null ? [{ name: 'alerts', icon: 'bell', body: alerts } as const] : []),
    ...(loadable ? [{ name: 'loads', icon: 'upload', body: loads } as const] : []),
  ]);
  const details = new Details(byId('details'), {
    map,
    catalogue,
    live,
    selection,
    appearance,
  });
  const open = (hits: Parameters<Details['show']>[0]) => {
    if (hits.length > 0) panel.giveWay();
    details.show(hits);
  };
  appearance.onChange(({ instant }) => {
    if (instant !== appearance.choice.instant) details.close();
  });
  addMapButtons(map, appearance, catalogue);
  const clicks = createClicks(map, catalogue, (point) => {
    open(hitsAt(map, catalogue, point));
    details.uncover(point);
  });
  createLayerList(layers, { map, catalogue, visibility, live, appearance });
  new Nearest(nearest, { map, catalogue, clicks, open });
  if (catalogue.byName.has(PIPES_LAYER)) {
    new Network(network, { map, catalogue, clicks, selection });
  }
  if (currentKey() !== null) new Alerts(alerts, map);
  if (loadable) new Loads(loads, { map, catalogue, visibility, list: loadable });
}

/** The looks, and the bar of time with the button that opens it. */
function addMapButtons(map: CityMap, appearance: Appearance, catalogue: Catalogue): void {
  const time = new TimeBar(byId('time'), appearance, catalogue.city.time_zone);
  const timeToggle: Toggle = {
    name: 'time',
    icon: 'clock',
    label: 'timeButton',
    isPressed: () => time.isOpen,
    press: () => time.toggle(),
  };
  const looks = new ButtonGroup(lookToggles(appearance));
  const more = new ButtonGroup([timeToggle]);
  map.addControl(looks, 'top-right');
  map.addControl(more, 'top-right');
  if (catalogue.terrain !== null) addRelief(map, appearance, catalogue.terrain);
  appearance.onChange(() => looks.render());
  time.onToggle(() => more.render());
}

function addRelief(map: CityMap, appearance: Appearance, url: string): void {
  const relief = new Relief(map, appearance, url);
  const toggle: Toggle = {
    name: 'relief',
    icon: 'relief',
    label: 'relief',
    isPressed: () => relief.isOn,
    press: () => {
      relief.toggle();
      buttons.render();
    },
  };
  const buttons = new ButtonGroup([toggle]);
  map.addControl(buttons, 'top-right');
}

/** Why the page could not start, in words of its own where MapLibre would name another site. */
function failureText(error: unknown): string {
  const isWebGL = error instanceof Error && error.name === 'GPUInitializationError';
  return isWebGL ? t('noWebGL') : reasonOf(error);
}

start();
