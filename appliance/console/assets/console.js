// What is live on the console's pages. Without this script every page still works: it is then as new as its
// last reload.
"use strict";

// --- whether somebody is there: what a page fetches for itself does not keep a session open ------------------

let touched = false;
for (const kind of ["pointerdown", "keydown", "scroll"]) {
  addEventListener(kind, () => { touched = true; }, { passive: true });
}

// A browser opens few connections to one host, so a page that is left gives its own back; and a page that is
// returned to is asked for anew, since it may show what is no longer so.
const leaving = new AbortController();
addEventListener("pagehide", () => leaving.abort());
// A form leads to another page, and to the end of the session where it signs out: what waits would hear of that first.
addEventListener("submit", () => leaving.abort());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

/** Fetches for an open page; the session's end leads to the door. */
async function poll(path) {
  const headers = touched ? { "Milepost-Present": "1" } : {};
  touched = false;
  const answer = await fetch(path, { headers, cache: "no-store", signal: leaving.signal });
  if (answer.status === 401) {
    location.href = "/sign-in";
  }
  return answer;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves at once while the page is seen, else when it is seen again: a telephone in a pocket asks nothing. */
function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

// --- parts of a page that are kept up to date ------------------------------------------------------------

/** Fetches the page anew and takes over the elements that are marked as live. */
async function renew() {
  const answer = await poll(document.body.dataset.renew);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const element of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(element.id);
    // Somebody who has just reached a link by keyboard must not lose it.
    if (!other || element.contains(document.activeElement)) continue;
    element.className = other.className;
    element.replaceChildren(...other.childNodes);
  }
}

async function keepFresh() {
  for (;;) {
    await pause(1000 * Number(document.body.dataset.everyS));
    await seen();
    await renew().catch(() => {});
  }
}

if (document.body.dataset.renew) keepFresh();

// --- a file on the device in place of a text that is pasted ---------------------------------------------------

for (const file of document.querySelectorAll("[data-fills]")) {
  file.closest(".fills").hidden = false;
  file.addEventListener("change", async () => {
    const text = document.getElementById(file.dataset.fills);
    if (file.files.length) text.value = await file.files[0].text();
  });
}

// --- the unit's clock beside this device's ------------------------------------------------------------------

/** In words, by its two largest units: "2 days 3 h". */
function inWords(ms) {
  const minutes = Math.floor(ms / 60_000);
  const parts = [[Math.floor(minutes / 1440), "days"], [Math.floor(minutes / 60) % 24, "h"], [minutes % 60, "min"]];
  const said = parts.filter(([many]) => many).slice(0, 2).map(([many, unit]) => `${many} ${unit}`);
  return said.join(" ") || `${Math.round(ms / 1000)} s`;
}

function compareClocks(shown) {
  // How long the page took to come is not known; what a person compares is seconds.
  const ahead = Date.now() - Number(shown.dataset.unitMs);
  const pad = (number) => String(number).padStart(2, "0");
  const say = () => {
    const now = new Date();
    const day = [now.getFullYear(), pad(now.getMonth() + 1), pad(now.getDate())].join("-");
    const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(pad).join(":");
    const by = Math.abs(ahead) < 5000 ? "the same" : `the unit is ${inWords(Math.abs(ahead))} ${ahead > 0 ? "behind" : "ahead"}`;
    shown.textContent = `${day} ${time}, ${by}`;
  };
  say();
  setInterval(say, 1000);
  for (const element of document.querySelectorAll("[data-device]")) element.hidden = false;
  const field = document.getElementById("device-ms");
  field?.form.addEventListener("submit", () => { field.value = Date.now(); });
}

const deviceClock = document.getElementById("device-clock");
if (deviceClock) compareClocks(deviceClock);

// --- day or night, as the person wants it ------------------------------------------------------------------

const THEMES = { "": "Day and night: as the device", day: "Day", night: "Night" };

function chooseTheme(button) {
  const root = document.documentElement;
  const say = () => { button.textContent = THEMES[root.dataset.theme ?? ""]; };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(root.dataset.theme ?? "") + 1) % names.length];
    if (next) {
      root.dataset.theme = next;
      localStorage.setItem("theme", next);
    } else {
      delete root.dataset.theme;
      localStorage.removeItem("theme");
    }
    say();
  });
  say();
  button.hidden = false;
}

const themeButton = document.getElementById("theme");
if (themeButton) chooseTheme(themeButton);

// --- the in-car screen stays on ------------------------------------------------------------------------------

async function stayOn(note) {
  for (;;) {
    await seen();
    try {
      const lock = await navigator.wakeLock.request("screen");
      note.textContent = "The screen stays on.";
      await new Promise((resolve) => lock.addEventListener("release", resolve, { once: true }));
    } catch {
      note.textContent = "This device may switch its screen off: set it to stay on.";
      await pause(30_000);
    }
  }
}

const wake = document.getElementById("wake");
if (wake) stayOn(wake);

// --- alerts: sight and sound -----------------------------------------------------------------------------

const sound = (() => {
  const button = document.getElementById("sound");
  const bar = document.getElementById("silent");
  const box = document.getElementById("mute-box");
  const mute = document.getElementById("mute");
  if (!button) return () => {};
  const context = new AudioContext();
  const show = () => {
    bar.hidden = context.state === "running";
    box.hidden = context.state !== "running";
  };
  mute.checked = sessionStorage.getItem("mute") === "yes";
  mute.addEventListener("change", () => sessionStorage.setItem("mute", mute.checked ? "yes" : "no"));
  // A browser lets a page sound only after it was touched.
  button.addEventListener("click", () => context.resume());
  context.addEventListener("statechange", show);
  show();

  return (level) => {
    const urgent = level === "critical" || level === "high";
    if (context.state !== "running" || (mute.checked && !urgent)) return;
    for (let stroke = 0; stroke < (urgent ? 4 : 1); stroke++) {
      const start = context.currentTime + stroke * 0.28;
      const tone = context.createOscillator();
      const volume = context.createGain();
      tone.frequency.value = urgent ? (stroke % 2 ? 880 : 1175) : 660;
      volume.gain.setValueAtTime(0.0001, start);
      volume.gain.exponentialRampToValueAtTime(0.6, start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.24);
      tone.connect(volume).connect(context.destination);
      tone.start(start);
      tone.stop(start + 0.25);
    }
  };
})();

async function hearNews(path) {
  const bar = document.getElementById("news");
  // Kept from page to page, so that what comes up between two pages is called out on the second.
  let after = sessionStorage.getItem("news") ?? document.body.dataset.newest;
  for (;;) {
    sessionStorage.setItem("news", after);
    await seen();
    try {
      const answer = await poll(after ? `${path}?after=${encodeURIComponent(after)}` : path);
      if (answer.status === 200) {
        const news = await answer.json();
        after = news.newest;
        call(bar, news.alerts);
        if (document.body.dataset.renew) await renew();
      } else if (answer.status !== 204) {
        await pause(2000);
      }
    } catch {
      await pause(2000);
    }
  }
}

const LEVELS = ["low", "medium", "high", "critical"];

/** Calls out the gravest of several, however new the others are. */
function call(bar, alerts) {
  if (!alerts.length) return;
  const grave = (alert) => LEVELS.indexOf(alert.level);
  const gravest = alerts.reduce((a, b) => (grave(b) > grave(a) ? b : a));
  const link = document.createElement("a");
  link.href = `/alerts/${encodeURIComponent(gravest.id)}`;
  const others = alerts.length > 1 ? ` and ${alerts.length - 1} more` : "";
  const where = gravest.course ? `, ${gravest.course}` : "";
  link.textContent = `${gravest.level.toUpperCase()} alert: ${gravest.text}${where}${others}`;
  bar.replaceChildren(link);
  bar.hidden = false;
  sound(gravest.level);
}

if (document.body.dataset.news) hearNews(document.body.dataset.news);

// --- aim: the live picture, with its plates drawn onto it ----------------------------------------------------

const GOOD = "#19c35a";
const SMALL = "#ffb020";

async function show(section) {
  const canvas = section.querySelector("canvas");
  const advice = section.querySelector(".advice");
  const checks = section.querySelector(".checks");
  const rate = section.querySelector(".rate");
  const plates = section.querySelector(".plates");
  const path = `/aim/${encodeURIComponent(section.dataset.camera)}/picture`;
  const times = [];
  let said = -Infinity;
  for (;;) {
    await seen();
    try {
      const answer = await poll(path);
      if (!answer.ok) {
        advice.textContent = answer.status === 503
          ? `Camera ${section.dataset.camera} gives no picture.` : "The picture cannot be had now.";
        times.length = 0;
        await pause(1000);
        continue;
      }
      const beside = JSON.parse(answer.headers.get("milepost-picture"));
      section.dispatchEvent(new CustomEvent("picture", { detail: beside }));
      const picture = await createImageBitmap(await answer.blob());
      draw(canvas, picture, beside);
      picture.close();
      list(plates, beside.plates);
      const now = performance.now();
      times.push(now);
      while (times[0] < now - 2000) times.shift();
      const fps = 1000 * (times.length - 1) / (now - times[0]);
      rate.textContent = `${beside.width} × ${beside.height}${times.length > 3 ? `, ${fps.toFixed(0)} pictures a second here` : ""}`;
      // A sentence that changes with each frame can be neither read nor heard.
      if (now - said > 1000) {
        if (advice.textContent !== beside.advice) advice.textContent = beside.advice;
        light(checks, beside.checks);
        said = now;
      }
    } catch {
      advice.textContent = "The unit does not answer.";
      await pause(1000);
    }
  }
}

function draw(canvas, picture, beside) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
  const scale = picture.width / beside.width;
  // On a telephone the canvas is shown smaller than it is, so lines and letters must be larger.
  const shrunk = canvas.width / canvas.clientWidth || 1;
  const size = Math.max(16, 15 * shrunk);
  pen.lineWidth = Math.max(2, 2.5 * shrunk);
  pen.font = `bold ${size}px system-ui, sans-serif`;
  pen.textBaseline = "bottom";
  for (const plate of beside.plates) {
    const colour = plate.wide_enough ? GOOD : SMALL;
    const corners = plate.corners.map(([x, y]) => [x * scale, y * scale]);
    pen.strokeStyle = colour;
    pen.beginPath();
    corners.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.stroke();

    const text = `${plate.text ?? "?"} · ${plate.width_px} px`;
    const width = pen.measureText(text).width + size * 0.6;
    const left = Math.min(Math.max(0, corners[0][0]), canvas.width - width);
    const top = Math.min(...corners.map(([, y]) => y)) - size * 0.4;
    const base = top > size * 1.4 ? top : Math.max(...corners.map(([, y]) => y)) + size * 1.7;
    pen.fillStyle = "#000c";
    pen.fillRect(left, base - size * 1.25, width, size * 1.35);
    pen.fillStyle = colour;
    pen.fillText(text, left + size * 0.3, base);
  }
}

const WORDS = { green: "good", amber: "just enough", red: "not enough" };

function light(element, checks) {
  element.replaceChildren(...checks.map((check) => {
    const row = document.createElement("li");
    row.className = check.lamp;
    row.textContent = `${check.what} ${check.value} ${check.unit}: ${WORDS[check.lamp]}`;
    return row;
  }));
}

function list(element, plates) {
  element.replaceChildren(...plates.map((plate) => {
    const row = document.createElement("li");
    const text = document.createElement("span");
    text.className = "plate";
    text.textContent = plate.text ?? "?";
    const facts = document.createElement("span");
    const sure = (100 * plate.confidence).toFixed(0);
    facts.textContent = `${plate.state ?? "state unknown"} · ${sure} % · ${plate.width_px} px wide${plate.lane ? ` · lane ${plate.lane}` : ""}`;
    row.append(text, facts);
    return row;
  }));
}

for (const section of document.querySelectorAll("[data-camera]")) show(section);
