/** The shapes of what the service says of loads. */

import type { Title } from './types.ts';

export type LoadState =
  | 'uploaded'
  | 'checking'
  | 'ready'
  | 'loading'
  | 'done'
  | 'undoing'
  | 'undone'
  | 'failed'
  | 'cancelled';

export type Wish = 'confirm' | 'cancel' | 'undo';

export interface LoadFile {
  name: string;
  bytes: number;
}

export interface LoadCounts {
  read: number;
  new: number;
  changed: number;
  unchanged: number;
  vanished: number;
  rejected: number;
}

/** What is wrong with a row, or worth a look. */
export interface LoadFinding {
  row: number | null;
  key: string | null;
  severity: 'error' | 'warning';
  sentence: Title;
  /** Longitude and latitude, degrees. */
  place: [number, number] | null;
}

export interface LoadSource {
  name: string;
  crs: string;
  transformation: string;
  encoding: string | null;
  mapping: Record<string, string>;
  unmapped: string[];
  notes: string[];
}

export interface LoadReport extends LoadCounts {
  reasons: Record<string, number>;
  sources: LoadSource[];
  findings: LoadFinding[];
  findings_withheld: number;
  findings_complete: boolean;
}

export interface LoadJob {
  id: number;
  layer: string;
  files: LoadFile[];
  state: LoadState;
  asked: Wish | null;
  /** What may be asked of it now. */
  can: Wish[];
  progress: { step: string | null; rows_done: number | null; rows_total: number | null };
  message: string | null;
  load_id: number | null;
  created_at: string;
  report: LoadReport | null;
  result: LoadCounts | null;
  links: { preview?: string };
}

export interface LoadableLayer {
  name: string;
  title: Title;
}

export interface LoadList {
  loads: LoadJob[];
  layers: LoadableLayer[];
  limits: { max_upload_bytes: number; max_upload_files: number };
}

/** TileJSON of the files of a load, with what it holds. */
export interface LoadPreview {
  tiles: string[];
  maxzoom: number;
  bounds: [number, number, number, number] | null;
  on_map: { accepted: number; rejected: number };
  is_sample: boolean;
}
