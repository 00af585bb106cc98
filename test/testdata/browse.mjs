// A person's visit: browse, press Build, watch it, download, and come back for what
// is gone. Usage: browse.mjs URL BUILD KIND GONE DIR; prints what was seen as JSON.
const [url, build, kind, gone, dir] = process.argv.slice(2);
const { chromium } = await import(process.env.PLAYWRIGHT);
const quiet = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: quiet });
const seen = { problems: [] };

// page opens a page that notes whatever a browser complains of.
async function page(options) {
  const context = await browser.newContext({ acceptDownloads: true, viewport: { width: 1200, height: 900 }, ...options });
  const p = await context.newPage();
  p.on('console', (m) => { if (m.type() === 'error' && !m.text().includes('503')) seen.problems.push(m.text()); });
  p.on('pageerror', (e) => seen.problems.push(String(e)));
  return p;
}

// pictures takes the page in light and in dark.
async function pictures(p, name) {
  for (const colorScheme of ['light', 'dark']) {
    await p.emulateMedia({ colorScheme });
    await p.screenshot({ path: `${dir}/${name}-${colorScheme}.png` });
  }
  await p.emulateMedia({ colorScheme: 'light' });
}

const p = await page({});
await p.goto(url);
seen.title = await p.title();
await pictures(p, 'builds');
await p.keyboard.press('Tab');
seen.firstFocus = await p.evaluate(() => document.activeElement.textContent);
await p.getByRole('link', { name: build, exact: true }).first().click();
if (await p.getByRole('link', { name: 'x86_64/', exact: true }).count() > 0) await p.getByRole('link', { name: 'x86_64/', exact: true }).click();
seen.heading = await p.getByRole('heading', { level: 1 }).innerText();
await pictures(p, 'build');

// Press Build, watch it to its end, download.
await p.getByRole('row').filter({ has: p.getByRole('cell', { name: kind, exact: true }) }).getByRole('button', { name: /^Build/ }).click();
await p.waitForURL(/\/\.cosafs\/ui\/jobs\//);
await pictures(p, 'job');
await p.getByText('done', { exact: true }).first().waitFor({ timeout: 300_000 });
seen.log = await p.locator('#log').innerText();
let coming = p.waitForEvent('download');
await p.getByRole('link', { name: 'Download' }).click();
await (await coming).saveAs(`${dir}/built`);

// What is gone is made while the page waits, and then comes by itself.
const q = await page({});
coming = q.waitForEvent('download', { timeout: 300_000 });
await q.goto(url + gone).catch((e) => { if (!String(e).includes('Download is starting') && !String(e).includes('ERR_ABORTED')) throw e; });
seen.waiting = await q.getByRole('heading', { level: 1 }).innerText().catch(() => '');
await (await coming).saveAs(`${dir}/gone`);

// Everything can be read without scripts.
const r = await page({ javaScriptEnabled: false });
await r.goto(url);
await r.getByLabel('Filter').fill('no such build');
await r.getByRole('button', { name: 'Filter' }).click();
seen.filtered = await r.getByRole('main').innerText();
await r.goto(url);
await r.getByText('Connect', { exact: false }).first().click();
seen.connect = await r.getByRole('main').innerText();

await browser.close();
console.log(JSON.stringify(seen));
