// Lanes over the live picture: shown to everybody, drawn by who may. The form below the picture holds what is drawn, so
// that it is sent like any other; without this script its points are typed as numbers.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
// Across the picture; its height follows the picture's shape.
const ACROSS = 1000;
const CORNERS = 4;
const POINTS_MAX = 12;
const LANES_MAX = 8;
// Where corners are put by button: a lane as most cameras see it.
const PRESETS = [[0.35, 0.85], [0.65, 0.85], [0.58, 0.35], [0.42, 0.35]];
const STEP = 0.01;
const FINE = 0.002;
// Marks of plates that have passed; older ones go.
const MARKS_MAX = 400;

const clamp = (value) => Math.min(1, Math.max(0, value));
const percent = (value) => `${(100 * value).toFixed(1).replace(".0", "")} %`;
const across = (value) => `${100 * value}%`;
const parse = (text) => text.trim().split(/\s+/).filter(Boolean).map((pair) => pair.split(",").map(Number));
const print = (points) => points.map((point) => point.map((value) => +value.toFixed(4)).join(",")).join(" ");

/** So that corners may be tapped in any order: around their middle. */
function inOrder(points) {
  const middle = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  const angle = ([x, y]) => Math.atan2(y - middle[1], x - middle[0]);
  return [...points].sort((a, b) => angle(a) - angle(b));
}

function element(name, attributes = {}, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function button(text, act, kind = "quiet") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

/** What lies over the picture: outlines, names, and the points of the lane that is drawn. */
class Overlay {
  constructor(section) {
    this.canvas = section.querySelector("canvas");
    this.box = document.createElement("div");
    this.box.className = "overlay";
    this.svg = element("svg", { "aria-hidden": "true" });
    this.learned = element("g", { class: "learned" });
    this.marks = element("g", { class: "marks" });
    this.drawn = element("g");
    this.names = document.createElement("div");
    this.svg.append(this.learned, this.marks, this.drawn);
    this.box.append(this.svg, this.names);
    this.canvas.after(this.box);
    this.learnedLines = parse(section.dataset.learned ?? "");
    section.addEventListener("picture", ({ detail }) => this.see(detail));
    this.fit(this.canvas.width, this.canvas.height);
  }

  fit(width, height) {
    this.down = ACROSS * height / width;
    this.svg.setAttribute("viewBox", `0 0 ${ACROSS} ${this.down}`);
  }

  /** A new picture has come, with plates in it. */
  see({ width, height, plates }) {
    if (this.width !== width || this.height !== height) {
      [this.width, this.height] = [width, height];
      this.fit(width, height);
      this.learned.replaceChildren(...this.learnedLines.map(([x1, y1, x2, y2]) => {
        const scale = ACROSS / width;
        return element("line", { x1: x1 * scale, y1: y1 * scale, x2: x2 * scale, y2: y2 * scale });
      }));
      this.repaint?.();
    }
    if (!this.marking) return;
    for (const { corners } of plates) {
      const middle = (axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length;
      const scale = ACROSS / width;
      this.marks.append(element("circle", { cx: middle(0) * scale, cy: middle(1) * scale, r: 5 }));
    }
    while (this.marks.childElementCount > MARKS_MAX) this.marks.firstElementChild.remove();
  }

  /** `lanes`: names with points; `current` is drawn so that it stands out. */
  paint(lanes, current) {
    const at = ([x, y]) => `${x * ACROSS},${y * this.down}`;
    this.drawn.replaceChildren(...lanes.filter((lane) => lane.points.length).map((lane) => element("polygon", {
      class: lane === current ? "current" : "", points: lane.points.map(at).join(" "),
    })));
    this.names.replaceChildren(...lanes.filter((lane) => lane.points.length).map((lane) => {
      const name = document.createElement("span");
      name.className = "lane-name";
      const lowest = lane.points.reduce((a, b) => (b[1] > a[1] ? b : a));
      const middle = lane.points.reduce((sum, [x]) => sum + x, 0) / lane.points.length;
      name.style.left = across(middle);
      name.style.top = across(Math.min(lowest[1], 0.97));
      name.textContent = { towards: "↓ ", away: "↑ " }[lane.travel] ?? "";
      name.textContent += lane.name || "?";
      return name;
    }));
  }
}

/** Draws into the overlay what the form's rows hold, and back. */
class Editor {
  constructor(section, overlay, form) {
    this.section = section;
    this.overlay = overlay;
    this.form = form;
    this.rows = form.querySelector(".lane-rows");
    this.template = this.rows.lastElementChild;
    this.template.remove();
    this.said = form.querySelector(".said");
    this.handles = document.createElement("div");
    overlay.box.append(this.handles);
    this.lanes = [...this.rows.children].map((row) => this.laneOf(row));
    overlay.repaint = () => this.paint();

    this.bar = document.createElement("p");
    this.bar.className = "bar tools";
    this.begin = button("Draw lanes", () => this.start());
    this.point = button("Add a point", () => this.addPoint());
    this.unpoint = button("Take the point away", () => this.removePoint(), "quiet danger");
    this.more = button("New lane", () => this.newLane());
    this.bar.append(this.begin, this.more, this.point, this.unpoint);
    form.before(this.bar);
    form.before(this.said);
    form.hidden = true;
    for (const tool of [this.more, this.point, this.unpoint]) tool.hidden = true;

    overlay.box.addEventListener("pointerdown", (event) => this.tap(event));
    form.addEventListener("input", () => { this.changed = true; this.paint(); });
    form.addEventListener("submit", () => { this.changed = false; });
    addEventListener("beforeunload", (event) => { if (this.changed) event.preventDefault(); });
    this.paint();
    if (form.dataset.mistake) this.start();
  }

  laneOf(row) {
    const [name, travel, points] = ["name", "travel", "points"].map((field) => row.querySelector(`[name=${field}]`));
    const lane = {
      row, field: points, points: parse(points.value), get name() { return name.value; }, get travel() { return travel.value; },
    };
    const tools = document.createElement("p");
    tools.className = "bar";
    lane.choose = button("Move its points", () => this.choose(lane));
    tools.append(lane.choose, button("Take the lane away", () => this.removeLane(lane), "quiet danger"));
    row.append(tools);
    return lane;
  }

  say(text) {
    this.said.textContent = text;
  }

  start() {
    this.drawing = true;
    this.overlay.marking = true;
    this.section.classList.add("drawing");
    this.form.hidden = false;
    this.begin.hidden = true;
    for (const tool of [this.more, this.point, this.unpoint]) tool.hidden = false;
    if (this.lanes.length) this.choose(this.lanes[0]);
    else this.newLane();
  }

  newLane() {
    if (this.lanes.length === LANES_MAX) {
      this.say(`A camera has room for ${LANES_MAX} lanes.`);
      return;
    }
    const row = this.template.cloneNode(true);
    this.rows.append(row);
    const number = [...this.lanes.keys(), this.lanes.length].map((index) => String(index + 1))
      .find((name) => !this.lanes.some((lane) => lane.name === name));
    row.querySelector("[name=name]").value = number;
    row.querySelector("[name=points]").value = "";
    for (const label of row.querySelectorAll("label")) {
      const field = label.parentElement.querySelector(`#${CSS.escape(label.htmlFor)}`);
      field.id = label.htmlFor = `${label.htmlFor}-${Date.now()}`;
    }
    const lane = this.laneOf(row);
    this.lanes.push(lane);
    this.changed = true;
    this.choose(lane);
  }

  removeLane(lane) {
    lane.row.remove();
    this.lanes = this.lanes.filter((other) => other !== lane);
    this.changed = true;
    if (this.current === lane) this.current = null;
    this.say(`Lane ${lane.name} is taken away. Keep the lanes to make it so.`);
    this.paint();
    this.more.focus();
  }

  choose(lane) {
    this.current = lane;
    this.index = null;
    this.section.querySelector(".picture").scrollIntoView({ block: "start" });
    this.instruct();
    this.paint();
  }

  instruct() {
    const { name, points } = this.current;
    const missing = CORNERS - points.length;
    this.say(missing > 0
      ? `Lane ${name}: tap its ${missing === CORNERS ? "four corners" : missing === 1 ? "last corner" : `other ${missing} corners`
        } in the picture, where the middle of plates passes (dots show it), in any order.`
      : `Lane ${name} is drawn: drag its points where they fit better, or choose one and press the arrow keys.`);
  }

  /** Of a finger on the picture itself: the next corner, or else another lane. */
  tap(event) {
    if (!this.drawing || event.target.closest(".point") || event.button !== 0) return;
    event.preventDefault();
    const frame = this.overlay.box.getBoundingClientRect();
    const place = [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height].map(clamp);
    if (this.current && this.current.points.length < CORNERS) this.put(place);
  }

  put(place) {
    const lane = this.current;
    lane.points.push(place);
    if (lane.points.length === CORNERS) lane.points = inOrder(lane.points);
    this.index = lane.points.indexOf(place);
    this.instruct();
    this.update();
  }

  addPoint() {
    const lane = this.current;
    if (!lane) return this.newLane();
    if (lane.points.length === POINTS_MAX) {
      this.say(`A lane has room for ${POINTS_MAX} points.`);
      return;
    }
    if (lane.points.length < CORNERS) {
      this.put(PRESETS[lane.points.length]);
    } else {
      // In the middle of the longest side: there a bend is most likely missing.
      const ends = lane.points.map((point, index) => [point, lane.points[(index + 1) % lane.points.length]]);
      const length = ([a, b]) => Math.hypot(b[0] - a[0], b[1] - a[1]);
      const longest = ends.reduce((a, b) => (length(b) > length(a) ? b : a));
      const middle = [0, 1].map((axis) => (longest[0][axis] + longest[1][axis]) / 2);
      this.index = ends.indexOf(longest) + 1;
      lane.points.splice(this.index, 0, middle);
      this.update();
    }
    this.handles.children[this.index]?.focus();
  }

  removePoint() {
    const lane = this.current;
    if (!lane?.points.length) return;
    lane.points.splice(this.index ?? lane.points.length - 1, 1);
    this.index = null;
    this.instruct();
    this.update();
    this.handles.lastElementChild?.focus();
  }

  move(index, [x, y]) {
    this.current.points[index] = [clamp(x), clamp(y)];
    this.index = index;
    this.update();
  }

  /** The form follows what is drawn. */
  update() {
    this.current.field.value = print(this.current.points);
    this.changed = true;
    this.paint();
  }

  paint() {
    this.overlay.paint(this.lanes, this.drawing ? this.current : null);
    for (const lane of this.lanes) lane.choose.disabled = this.drawing && lane === this.current;
    const points = this.drawing && this.current ? this.current.points : [];
    while (this.handles.childElementCount > points.length) this.handles.lastElementChild.remove();
    while (this.handles.childElementCount < points.length) this.handles.append(this.handle());
    points.forEach(([x, y], index) => {
      const handle = this.handles.children[index];
      handle.style.left = across(x);
      handle.style.top = across(y);
      handle.setAttribute("aria-label", `Lane ${this.current.name}, point ${index + 1} of ${points.length}: `
        + `${percent(x)} from the left, ${percent(y)} from the top`);
    });
    this.more.disabled = this.lanes.length === LANES_MAX;
    this.point.disabled = points.length === POINTS_MAX;
    this.unpoint.disabled = !points.length;
  }

  handle() {
    const handle = button("", () => {}, "point");
    const index = () => [...this.handles.children].indexOf(handle);
    let grip = null;
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      // It moves by as much as the finger does and never jumps under it, so the finger may stay beside the point.
      handle.setPointerCapture(event.pointerId);
      grip = { from: [event.clientX, event.clientY], point: this.current.points[index()] };
      this.index = index();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!grip) return;
      const frame = this.overlay.box.getBoundingClientRect();
      const by = [(event.clientX - grip.from[0]) / frame.width, (event.clientY - grip.from[1]) / frame.height];
      this.move(index(), [grip.point[0] + by[0], grip.point[1] + by[1]]);
    });
    for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => { grip = null; });
    handle.addEventListener("focus", () => { this.index = index(); });
    handle.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? FINE : STEP;
      const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      if (by) {
        event.preventDefault();
        const [x, y] = this.current.points[index()];
        this.move(index(), [x + by[0], y + by[1]]);
        this.say(handle.getAttribute("aria-label"));
      } else if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        this.index = index();
        this.removePoint();
      }
    });
    return handle;
  }
}

for (const section of document.querySelectorAll("[data-camera]")) {
  const overlay = new Overlay(section);
  const form = section.querySelector("form.lanes");
  if (form) {
    new Editor(section, overlay, form);
  } else {
    const lanes = [...section.querySelectorAll("[data-outline]")]
      .map(({ dataset }) => ({ name: dataset.name, travel: dataset.travel, points: parse(dataset.outline) }));
    overlay.repaint = () => overlay.paint(lanes);
    overlay.repaint();
  }
}
