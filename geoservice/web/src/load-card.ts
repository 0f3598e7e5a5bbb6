/** One load for its reader: how far it is, what was found, what can be done. */

import { element, fillWith } from './dom.ts';
import { formatNumber } from './format.ts';
import { inLanguage, listOf, t } from './i18n.ts';
import { ACCEPTED_COLOR, REJECTED_COLOR } from './load-preview.ts';
import type {
  LoadCounts,
  LoadFinding,
  LoadJob,
  LoadPreview,
  LoadReport,
  LoadSource,
  LoadState,
  Wish,
} from './load-types.ts';
import type { MessageKey } from './messages.ts';

const SHOWN_FINDINGS = 100;

const STATE_TEXTS: Record<LoadState, MessageKey> = {
  uploaded: 'loadUploaded',
  checking: 'loadChecking',
  ready: 'loadReady',
  loading: 'loadLoading',
  done: 'loadDone',
  undoing: 'loadUndoing',
  undone: 'loadUndone',
  failed: 'loadFailed',
  cancelled: 'loadCancelled',
};

const COUNT_TEXTS: [keyof LoadCounts, MessageKey][] = [
  ['read', 'countRead'],
  ['new', 'countNew'],
  ['changed', 'countChanged'],
  ['unchanged', 'countUnchanged'],
  ['vanished', 'countVanished'],
  ['rejected', 'countRejected'],
];

export interface CardActions {
  ask: (wish: Wish) => void;
  togglePreview: () => void;
  showPlace: (place: [number, number]) => void;
}

export interface CardState {
  job: LoadJob;
  layerTitle: string;
  /** What the map shows of it; null where it shows nothing. */
  preview: LoadPreview | null;
  /** Why the last question was refused. */
  failure: string;
}

export function stateText(job: LoadJob): string {
  return t(STATE_TEXTS[job.state]);
}

export function fileNames(job: LoadJob): string {
  return listOf(job.files.map(({ name }) => name));
}

/** The card of a load. */
export function loadCard(state: CardState, actions: CardActions): HTMLElement {
  const { job, layerTitle, failure } = state;
  return element(
    'section',
    { class: `load-card ${job.state}`, 'data-state': job.state, 'aria-label': title(job) },
    element('h3', {}, `${title(job)} · ${layerTitle}`),
    element('p', { class: 'file-name' }, fileNames(job)),
    element('p', { class: 'load-state', role: 'status' }, stateText(job), progressText(job)),
    progressBar(job),
    job.message && element('p', { class: 'remark bad', lang: 'en' }, job.message),
    counts(job),
    previewPart(state, actions),
    buttons(job, actions),
    element('p', { class: 'remark bad', role: 'alert' }, failure),
    job.report && findings(job.report, actions),
    job.report && howRead(job.report),
  );
}

function title({ id }: LoadJob): string {
  return t('loadNumber', { id });
}

function isAtWork({ state, asked }: LoadJob): boolean {
  return ['uploaded', 'checking', 'loading', 'undoing'].includes(state) || asked !== null;
}

function progressText(job: LoadJob): string {
  const { rows_done, rows_total } = job.progress;
  if (!isAtWork(job) || rows_done === null) return '';
  const done = formatNumber(rows_done);
  const text =
    rows_total === null
      ? t('loadRows', { done })
      : t('loadRowsOf', { done, total: formatNumber(rows_total) });
  return ` · ${text}`;
}

function progressBar(job: LoadJob): HTMLElement | null {
  if (!isAtWork(job)) return null;
  const { rows_done, rows_total } = job.progress;
  // Without a value the bar says that something is going on.
  const known = rows_done !== null && rows_total ? { max: rows_total, value: rows_done } : {};
  return element('progress', { ...known, 'aria-label': stateText(job) });
}

function counts(job: LoadJob): HTMLElement | null {
  const shown = job.result ?? job.report;
  if (!shown) return null;
  // Features vanish only where the files were said to be complete.
  const counted = COUNT_TEXTS.filter(([name]) => name !== 'vanished' || shown.vanished > 0);
  const cells = counted.map(([name, text]) =>
    element(
      'div',
      { 'data-count': name, class: name === 'rejected' && shown.rejected > 0 ? 'bad' : '' },
      element('dd', {}, formatNumber(shown[name])),
      element('dt', {}, t(text)),
    ),
  );
  return element(
    'div',
    {},
    element('p', { class: 'quiet' }, t(job.result ? 'countsLoaded' : 'countsChecked')),
    element('dl', { class: 'load-counts' }, ...cells),
  );
}

function previewPart({ job, preview }: CardState, actions: CardActions): HTMLElement | null {
  if (!job.links.preview) return null;
  const toggle = { type: 'button', 'aria-pressed': String(preview !== null) };
  return element(
    'div',
    { class: 'load-preview' },
    element(
      'button',
      { ...toggle, onclick: actions.togglePreview },
      t(preview ? 'previewHide' : 'previewShow'),
    ),
    preview && previewLegend(preview),
    preview?.is_sample && element('p', { class: 'remark' }, t('previewSample')),
  );
}

function previewLegend({ on_map }: LoadPreview): HTMLElement {
  const row = (color: string, text: string) => {
    const dot = element('i', { class: 'dot' });
    dot.style.backgroundColor = color;
    return element('li', {}, dot, text);
  };
  return element(
    'ul',
    { class: 'legend', 'aria-label': t('previewLegend') },
    row(ACCEPTED_COLOR, t('previewAccepted', { count: formatNumber(on_map.accepted) })),
    row(REJECTED_COLOR, t('previewRejected', { count: formatNumber(on_map.rejected) })),
  );
}

function buttons({ can }: LoadJob, { ask }: CardActions): HTMLElement {
  return element(
    'div',
    { class: 'buttons' },
    can.includes('confirm') &&
      element(
        'button',
        { type: 'button', class: 'primary', 'data-ask': 'confirm', onclick: () => ask('confirm') },
        t('confirmLoad'),
      ),
    can.includes('undo') && undoButton(() => ask('undo')),
    can.includes('cancel') &&
      element(
        'button',
        { type: 'button', 'data-ask': 'cancel', onclick: () => ask('cancel') },
        t('cancelLoad'),
      ),
  );
}

/** Undoing takes two presses: what was loaded is gone from the map for everybody. */
function undoButton(undo: () => void): HTMLElement {
  let isSure = false;
  const onclick = () => {
    if (isSure) return undo();
    isSure = true;
    fillWith(button, t('undoSure'));
  };
  const attributes = { type: 'button', 'data-ask': 'undo', onclick };
  const button: HTMLButtonElement = element('button', attributes, t('undoLoad'));
  return button;
}

function findings(report: LoadReport, actions: CardActions): HTMLElement {
  const shown = report.findings.slice(0, SHOWN_FINDINGS);
  const isCut = shown.length < report.findings.length || !report.findings_complete;
  const withheld = report.findings_withheld;
  if (shown.length + withheld === 0) return element('p', { class: 'quiet' }, t('findingsNone'));
  return element(
    'details',
    { class: 'load-findings', open: true },
    element('summary', {}, t('findings', { count: formatNumber(report.findings.length) })),
    element('ul', {}, ...shown.map((one) => findingItem(one, actions))),
    isCut && element('p', { class: 'remark' }, t('findingsMore', { count: shown.length })),
    withheld > 0 && element('p', { class: 'remark' }, t('findingsWithheld', { count: withheld })),
  );
}

function findingItem(one: LoadFinding, { showPlace }: CardActions): HTMLElement {
  const { place } = one;
  return element(
    'li',
    { class: one.severity },
    element(
      'p',
      {},
      one.row !== null && element('b', {}, t('findingRow', { row: formatNumber(one.row) })),
      one.key && element('small', {}, one.key),
    ),
    element('p', {}, inLanguage(one.sentence)),
    place &&
      element(
        'button',
        { type: 'button', class: 'link', onclick: () => showPlace(place) },
        t('findingShow'),
      ),
  );
}

function howRead({ sources }: LoadReport): HTMLElement {
  return element(
    'details',
    { class: 'load-sources' },
    element('summary', {}, t('howRead')),
    ...sources.map(sourceElement),
  );
}

function sourceElement(source: LoadSource): HTMLElement {
  const columns = Object.entries(source.mapping).map(([name, column]) => `${name} ← ${column}`);
  const rows: [MessageKey, string][] = [
    ['sourceCrs', `${source.crs} (${source.transformation})`],
    ['sourceEncoding', source.encoding ?? ''],
    ['sourceColumns', columns.join(', ')],
    ['sourceUnmapped', source.unmapped.join(', ')],
    ['sourceNotes', source.notes.join('; ')],
  ];
  const parts = rows
    .filter(([, text]) => text)
    .flatMap(([name, text]) => [element('dt', {}, t(name)), element('dd', {}, text)]);
  return element('dl', {}, element('dt', { class: 'file-name' }, source.name), ...parts);
}
