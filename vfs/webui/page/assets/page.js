// What pages do beyond links and forms: copy buttons, and jobs as they go on.
"use strict";

// follows is how many jobs of a page are followed at once: browsers have six
// connections to a server, and some must stay for its links.
const follows = 3;
// keptLog is how much of a log a page keeps, in characters.
const keptLog = 256 * 1024;

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text); // there is no clipboard for pages over plain http
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hide";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// show writes a job's progress into the page; what is read out changes with the phase only.
function show(root, p) {
  const bar = root.querySelector("progress");
  const percent = Math.floor(100 * Math.min(Math.max(p.fraction, 0), 1));
  if (bar && p.fraction >= 0) bar.value = percent;
  if (p.fraction >= 0) setText(root.querySelector(".pct"), percent + " %");
  setText(root.querySelector(".phase"), p.phase || p.state || "");
  setText(root.querySelector("[data-said]"), p.phase || p.state || "");
  const waiters = document.querySelector(".waiters");
  if (waiters && p.waiters !== undefined) setText(waiters, String(p.waiters));
}

// appendLog adds to the log and stays at its end if the reader is there.
function appendLog(log, text) {
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  let all = log.textContent + text;
  if (all.length > keptLog) all = all.slice(all.indexOf("\n", all.length - keptLog) + 1);
  log.textContent = all;
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// ended goes on to what the page waited for; other pages show the end when loaded anew.
function ended(root, result) {
  const done = result.state === "done";
  if (root.dataset.wait && done) {
    setText(root.querySelector("[data-said]"), "It is done. The download begins.");
    setText(root.querySelector("[data-then]"), "The download has begun. This page is no longer needed.");
    setText(root.querySelector(".phase"), "done");
    const bar = root.querySelector("progress");
    if (bar) bar.value = 100;
    location.assign(root.dataset.wait);
    return;
  }
  location.reload();
}

function follow(root) {
  const events = new EventSource("/v1/jobs/" + encodeURIComponent(root.dataset.job) + "/events");
  const log = root.dataset.log ? document.getElementById(root.dataset.log) : null;
  events.addEventListener("progress", (e) => show(root, JSON.parse(e.data)));
  events.addEventListener("log", (e) => {
    if (!log) return;
    const piece = JSON.parse(e.data);
    if (piece.offset === 0) log.textContent = ""; // what the page came with is in the stream, too
    appendLog(log, piece.text);
  });
  events.addEventListener("end", (e) => {
    events.close();
    ended(root, JSON.parse(e.data));
  });
  // Without the stream the page is loaded anew, as it is where no script runs.
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
}

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
for (const root of [...document.querySelectorAll("[data-job]")].slice(0, follows)) follow(root);
const log = document.getElementById("log");
if (log) log.scrollTop = log.scrollHeight;
// Whoever waited is taken to the bytes; a page that waits for no job yet asks again.
const start = document.querySelector("[data-start]");
if (start && start.dataset.start) location.assign(start.dataset.start);
const idle = document.querySelector("[data-wait]:not([data-job])");
if (idle) setTimeout(() => location.reload(), 3000);
