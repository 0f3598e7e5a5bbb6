/** What is to be loaded: layer, files by drag and drop or by choice, and options. */

import { isAbort, reasonOf } from './api.ts';
import { element, fillWith } from './dom.ts';
import { leaveOnRefusal } from './failures.ts';
import { formatBytes } from './format.ts';
import { inLanguage, onLanguage, t } from './i18n.ts';
import { icon } from './icons.ts';
import { uploadFiles } from './load-requests.ts';
import type { LoadableLayer, LoadJob, LoadList } from './load-types.ts';
import type { MessageKey } from './messages.ts';

type OptionName = 'crs' | 'encoding' | 'key' | 'valid_from' | 'source_layer';

/** Name, title, what holds where nothing is said, and an example. */
const TEXT_OPTIONS: [OptionName, MessageKey, MessageKey, string][] = [
  ['crs', 'loadCrs', 'detected', 'EPSG:4547'],
  ['encoding', 'loadEncoding', 'detected', 'gb18030'],
  ['key', 'loadKey', 'detected', 'A,B'],
  ['valid_from', 'loadValidFrom', 'sinceLoading', '2024-05-01'],
  ['source_layer', 'loadSourceLayer', 'detected', 'plots'],
];

export interface LoadFormParts {
  layers: LoadableLayer[];
  limits: LoadList['limits'];
  onUploaded: (job: LoadJob) => void;
}

export class LoadForm {
  readonly #host: HTMLElement;
  readonly #parts: LoadFormParts;
  readonly #remark = element('p', { class: 'remark bad', role: 'alert' });
  readonly #options = new Map<OptionName, string>();
  #layer: string;
  #files: File[] = [];
  #mapping = '';
  #onError = 'quarantine';
  #isComplete = false;
  #areOptionsOpen = false;
  /** Share of the upload that is up; null while nothing is on its way. */
  #share: number | null = null;
  #upload = new AbortController();

  constructor(host: HTMLElement, parts: LoadFormParts) {
    this.#host = host;
    this.#parts = parts;
    const [only] = parts.layers;
    this.#layer = only && parts.layers.length === 1 ? only.name : '';
    takeDrops(host, (files) => this.#add(files));
    onLanguage(() => this.#render());
  }

  /** Forgets the files that were chosen; layer and options stay for the next ones. */
  clear(): void {
    this.#files = [];
    this.#say('');
    this.#render();
  }

  #add(files: File[]): void {
    if (this.#share !== null) return;
    const names = new Set(files.map(({ name }) => name));
    this.#files = [...this.#files.filter(({ name }) => !names.has(name)), ...files];
    this.#say('');
    this.#render();
  }

  #say(text: string): void {
    fillWith(this.#remark, text);
  }

  #render(): void {
    const submit = (event: Event) => {
      event.preventDefault();
      void this.#send();
    };
    const form = element(
      'form',
      { class: 'load-form', onsubmit: submit },
      element('p', { class: 'quiet' }, t('loadsIntro')),
      this.#layerField(),
      this.#dropZone(),
      this.#fileList(),
      this.#optionFields(),
      this.#remark,
      this.#share === null ? this.#sendButton() : this.#progress(this.#share),
    );
    fillWith(this.#host, form);
  }

  #layerField(): HTMLElement {
    const choices = this.#parts.layers.map(({ name, title }) =>
      element('option', { value: name, selected: name === this.#layer }, inLanguage(title)),
    );
    const onchange = (event: Event) => {
      this.#layer = (event.target as HTMLSelectElement).value;
    };
    const none = element('option', { value: '', selected: !this.#layer }, t('chooseLayer'));
    return field('loadLayer', element('select', { name: 'layer', onchange }, none, ...choices));
  }

  #dropZone(): HTMLElement {
    const input = element('input', {
      type: 'file',
      name: 'files',
      multiple: true,
      hidden: true,
      onchange: (event: Event) => this.#add([...((event.target as HTMLInputElement).files ?? [])]),
    });
    const choose = { type: 'button', onclick: () => input.click() };
    return element(
      'div',
      { class: 'drop-zone' },
      icon('upload'),
      element('p', {}, t('dropFiles')),
      element('button', choose, t('chooseFiles')),
      element('p', { class: 'remark' }, t('dropHelp')),
      input,
    );
  }

  #fileList(): HTMLElement | null {
    if (this.#files.length === 0) return null;
    const items = this.#files.map((file) =>
      element(
        'li',
        {},
        element('span', { class: 'file-name' }, file.name),
        element('small', {}, formatBytes(file.size)),
        element(
          'button',
          {
            type: 'button',
            class: 'plain',
            'aria-label': t('removeFile', { name: file.name }),
            onclick: () => this.#remove(file),
          },
          icon('close'),
        ),
      ),
    );
    return element('ul', { class: 'file-list' }, ...items);
  }

  #remove(file: File): void {
    this.#files = this.#files.filter((one) => one !== file);
    this.#render();
    this.#host.querySelector<HTMLElement>('.drop-zone button')?.focus();
  }

  #optionFields(): HTMLElement {
    const texts = TEXT_OPTIONS.map(([name, title, otherwise, example]) => {
      const onchange = (event: Event) =>
        void this.#options.set(name, (event.target as HTMLInputElement).value.trim());
      const value = this.#options.get(name) ?? '';
      const placeholder = `${t(otherwise)} · ${example}`;
      return field(title, element('input', { name, value, placeholder, onchange }));
    });
    const ontoggle = (event: Event) => {
      this.#areOptionsOpen = (event.target as HTMLDetailsElement).open;
    };
    return element(
      'details',
      { class: 'load-options', open: this.#areOptionsOpen, ontoggle },
      element('summary', {}, t('loadOptions')),
      element(
        'div',
        { class: 'load-option-fields' },
        ...texts,
        this.#mappingField(),
        this.#onErrorField(),
        this.#completeField(),
      ),
    );
  }

  #mappingField(): HTMLElement {
    const onchange = (event: Event) => {
      this.#mapping = (event.target as HTMLTextAreaElement).value.trim();
    };
    const placeholder = '{"columns": {"code": "ZDDM"}}';
    const attributes = { name: 'mapping', rows: 3, spellcheck: 'false', placeholder, onchange };
    return field('loadMapping', element('textarea', attributes, this.#mapping));
  }

  #onErrorField(): HTMLElement {
    const onchange = (event: Event) => {
      this.#onError = (event.target as HTMLSelectElement).value;
    };
    const choices: [string, MessageKey][] = [
      ['quarantine', 'onErrorQuarantine'],
      ['reject', 'onErrorReject'],
    ];
    const options = choices.map(([value, text]) =>
      element('option', { value, selected: value === this.#onError }, t(text)),
    );
    return field('loadOnError', element('select', { name: 'on_error', onchange }, ...options));
  }

  #completeField(): HTMLElement {
    const onchange = (event: Event) => {
      this.#isComplete = (event.target as HTMLInputElement).checked;
    };
    const attributes = { type: 'checkbox', name: 'complete', checked: this.#isComplete, onchange };
    return element('label', { class: 'check' }, element('input', attributes), t('loadComplete'));
  }

  #sendButton(): HTMLElement {
    return element('button', { type: 'submit', class: 'primary' }, icon('upload'), t('uploadNow'));
  }

  #progress(share: number): HTMLElement {
    const percent = Math.floor(share * 100);
    const stop = { type: 'button', onclick: () => this.#upload.abort() };
    return element(
      'div',
      { class: 'load-progress' },
      element('p', { role: 'status' }, t('uploading', { percent })),
      element('progress', { max: 1, value: share, 'aria-label': t('uploading', { percent }) }),
      element('button', stop, t('stopUpload')),
    );
  }

  /** Why the upload cannot begin; empty if it can. */
  #obstacle(): string {
    if (!this.#layer) return t('uploadNeedsLayer');
    if (this.#files.length === 0) return t('uploadNeedsFiles');
    const size = this.#files.reduce((sum, file) => sum + file.size, 0);
    const most = this.#parts.limits.max_upload_bytes;
    if (size <= most) return '';
    return t('uploadTooLarge', { size: formatBytes(size), most: formatBytes(most) });
  }

  async #send(): Promise<void> {
    const obstacle = this.#obstacle();
    this.#say(obstacle);
    if (obstacle || this.#share !== null) return;
    this.#upload = new AbortController();
    this.#tell(0);
    try {
      const job = await uploadFiles(
        { parameters: this.#parameters(), files: this.#files, mapping: this.#mapping },
        (share) => this.#tell(share),
        this.#upload.signal,
      );
      this.#share = null;
      this.clear();
      this.#parts.onUploaded(job);
    } catch (error) {
      this.#share = null;
      if (leaveOnRefusal(error)) return;
      this.#say(isAbort(error) ? '' : t('uploadFailed', { reason: reasonOf(error) }));
      this.#render();
    }
  }

  #tell(share: number): void {
    this.#share = share;
    this.#render();
  }

  #parameters(): URLSearchParams {
    const given: [string, string][] = [...this.#options].filter(([, value]) => value);
    if (this.#isComplete) given.push(['complete', 'true']);
    return new URLSearchParams([['layer', this.#layer], ['on_error', this.#onError], ...given]);
  }
}

/** Takes files that are dropped on an element; elsewhere on the page they are let fall. */
function takeDrops(host: HTMLElement, take: (files: File[]) => void): void {
  // Else the browser leaves the page to show a file that was dropped beside the place for it.
  for (const name of ['dragover', 'drop']) {
    window.addEventListener(name, (event) => event.preventDefault());
  }
  const mark = (over: boolean) => host.classList.toggle('dragged-over', over);
  host.addEventListener('dragover', () => mark(true));
  host.addEventListener('dragleave', () => mark(false));
  host.addEventListener('drop', (event) => {
    mark(false);
    take([...(event.dataTransfer?.files ?? [])]);
  });
}

function field(title: MessageKey, control: HTMLElement): HTMLElement {
  return element('label', { class: 'field' }, element('span', {}, t(title)), control);
}
