// Unpacks Chromium and its libraries into the temporary directory (TMPDIR) and prints its path.
import chromium from '@sparticuz/chromium';

console.log(await chromium.executablePath());
