import { defineConfig } from 'vitest/config';

/** Where `geoservice up` listens; used by `npm run dev` only. */
const SERVICE = 'http://127.0.0.1:8000';

export default defineConfig({
  base: '/map/',
  build: {
    target: 'es2022',
    // A strict Content-Security-Policy has no room for inlined scripts or assets.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // MapLibre alone is about 1 MB; a warning at every build would hide a real one.
    chunkSizeWarningLimit: 1300,
  },
  worker: { format: 'es' },
  server: {
    proxy: Object.fromEntries(
      ['/styles', '/sprites', '/rasters', '/tiles', '/collections', '/availability', '/loads', '/readyz'].map((path) => [path, SERVICE]),
    ),
  },
  test: { include: ['tests/**/*.test.ts'] },
});
