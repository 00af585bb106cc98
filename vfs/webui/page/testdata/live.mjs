// Follows a job in a browser: its page, and the page of a download that waits for it.
// Arguments: the site's address, the path that is waited for.
const [site, path] = process.argv.slice(2);
const { chromium } = await import(process.env.PLAYWRIGHT);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const wrong = [];

async function open(url) {
  const page = await browser.newPage();
  page.on('pageerror', (e) => wrong.push(`${url}: ${e}`));
  page.on('console', (m) => { if (m.type() === 'error' && !m.text().includes('503')) wrong.push(`${url}: ${m.text()}`); });
  await page.goto(site + url);
  return page;
}

const says = (page, selector, text) =>
  page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent.includes(t), [selector, text]);

const list = await open('/');
await list.keyboard.press('Tab');
console.log('first stop:', await list.evaluate(() => document.activeElement.textContent));
await list.locator('button.copy').first().click();
await says(list, 'button.copy', 'Copied');

const job = await open('/.cosafs/ui/jobs/01jd4x');
const waiting = await open('/' + path);
await says(job, '.pct', '42 %');
await says(waiting, '.pct', '42 %');

await fetch(site + '/test/advance');
await says(job, '.phase', 'encode');
await says(job, '.waiters', '7');
await says(waiting, '.pct', '81 %');
console.log('log:', (await job.textContent('#log')).split('\n')[0]);

const download = waiting.waitForEvent('download');
await fetch(site + '/test/finish');
console.log('downloaded:', (await download).suggestedFilename());
await says(waiting, '[data-then]', 'has begun');
await job.waitForSelector('a.go');
console.log('job:', await job.textContent('.state'));
console.log('wrong:', JSON.stringify(wrong));
await browser.close();
