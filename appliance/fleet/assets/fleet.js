// What is live on the dashboard. Without this script the page is as new as its last reload, and filters by its button.
"use strict";

// --- ages run on by themselves --------------------------------------------------------------------------------

const NARROW = "\u00a0";

/** As the server says it. */
function ago(seconds) {
  const [minutes, hours, days] = [60, 3600, 86400].map((size) => Math.floor(Math.abs(seconds) / size));
  const text = days >= 2 ? `${days}${NARROW}days`
    : hours >= 10 ? `${hours}${NARROW}h`
    : hours >= 1 ? `${hours}${NARROW}h ${minutes % 60}${NARROW}min`
    : minutes >= 1 ? `${minutes}${NARROW}min`
    : `${Math.floor(Math.abs(seconds))}${NARROW}s`;
  if (seconds < -60) return `in ${text}`;
  return seconds <= 1 ? "just now" : `${text} ago`;
}

/** The server's clock against this device's, which may be off. */
let ahead = 0;

function renewAges() {
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const text = ago((Date.now() + ahead - Date.parse(element.dateTime)) / 1000);
    if (element.textContent !== text) element.textContent = text;
  }
}

setInterval(renewAges, 5000);

// --- the list: only what changed comes ------------------------------------------------------------------------

/** Between two drawings of the map, which is large and changes with every unit. */
const MAP_REST_MS = 5000;

const units = document.getElementById("units");
const search = document.getElementById("search");
const body = units?.tBodies[0];

/** What the form asks for, as it stands in the address: the fields that say something. */
function asked(page) {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(search)) if (value) fields.set(name, value);
  if (page) fields.set("page", page);
  return fields.toString();
}

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** Replaces what is in an element, unless somebody has just reached a link in it by keyboard. */
function fill(id, html) {
  const element = document.getElementById(id);
  if (!element.contains(document.activeElement)) element.replaceChildren(fragment(html));
}

/** Makes the page as `changes` says; false where it lacks a row for that. */
function take(changes) {
  const rows = changes.order.map((id, place) => {
    const html = changes.rows[place];
    return html ? fragment(html).firstElementChild : document.getElementById(`unit-${id}`);
  });
  if (rows.includes(null)) return false;
  const focused = body.contains(document.activeElement) ? document.activeElement.closest("tr").id : null;
  const same = rows.length === body.rows.length && rows.every((row, place) => row === body.rows[place]);
  if (!same) body.replaceChildren(...rows);
  if (focused) document.getElementById(focused)?.querySelector("a").focus({ preventScroll: true });
  fill("pager-top", changes.pager);
  fill("pager-end", changes.pager);
  if (changes.summary) {
    fill("summary", changes.summary);
    tell();
  }
  return true;
}

let toldAt = -Infinity;

/** The words on top of the page; and, not each second, for who cannot see them. */
function tell() {
  const counts = document.querySelector(".counts");
  const chip = document.getElementById("state");
  chip.className = `chip ${counts.dataset.class}`;
  if (chip.textContent === counts.dataset.words) return;
  chip.textContent = counts.dataset.words;
  if (performance.now() - toldAt < 20_000) return;
  toldAt = performance.now();
  document.getElementById("said").textContent = `Fleet: ${counts.dataset.words}.`;
}

async function drawMap(query, signal) {
  const answer = await fetch(`/map?${query}`, { cache: "no-store", signal });
  if (!answer.ok) return;
  const open = document.querySelector("#map details")?.open ?? true;
  fill("map", await answer.text());
  const details = document.querySelector("#map details");
  if (details) details.open = open;
}

async function follow() {
  let known = units.dataset.known;
  let page = new URLSearchParams(location.search).get("page");
  let asking = new AbortController();
  const drawn = { picture: Number(units.dataset.picture), at: performance.now() };
  search.addEventListener("milepost-asked", () => {
    [page, known, drawn.picture, drawn.at] = [null, "0-0", null, -Infinity];
    asking.abort();
  });
  for (;;) {
    await seen();
    asking = new AbortController();
    const signal = AbortSignal.any([asking.signal, leaving.signal]);
    const query = asked(page);
    const headers = { "Milepost-Known": known };
    if (touched) headers["Milepost-Present"] = "1";
    touched = false;
    try {
      const answer = await fetch(`/changes?${query}`, { headers, cache: "no-store", signal });
      if (answer.status === 401) location.href = "/sign-in";
      if (answer.status === 200) {
        const changes = await answer.json();
        ahead = Date.parse(answer.headers.get("date")) - Date.now();
        known = take(changes) ? changes.known : "0-0";
        renewAges();
        if (changes.picture !== drawn.picture && performance.now() - drawn.at > MAP_REST_MS) {
          [drawn.picture, drawn.at] = [changes.picture, performance.now()];
          await drawMap(query, signal);
        }
      } else if (answer.status !== 204) {
        await pause(2000);
      }
    } catch {
      if (!asking.signal.aborted) await pause(2000);
    }
  }
}

/** The list follows what is typed and chosen; the address too, so that it can be kept and sent on. */
function searchAtOnce() {
  let waiting;
  const ask = () => {
    clearTimeout(waiting);
    const query = asked(null);
    history.replaceState(null, "", query ? `/?${query}` : "/");
    search.dispatchEvent(new Event("milepost-asked"));
  };
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 200);
  });
  search.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  search.classList.add("scripted");
}

if (units) {
  searchAtOnce();
  follow();
}
