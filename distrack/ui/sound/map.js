// A map of sounds: points that play when the pointer is on them, are selected by a press, and play in turn in a box.

const maps = new WeakMap();
const WIDTH = 900;
const HEIGHT = 520;
// Pixels of the drawing around the points, and within which a point is the one that is meant.
const MARGIN = 24;
const NEAR = 16;
const RADIUS = { clip: 4, track: 8, centre: 8 };
const SVG = "http://www.w3.org/2000/svg";

export default function (component) {
  return mounted(maps, component, SoundMap);
}

function draw(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

class SoundMap {
  constructor(root) {
    this.root = root.appendChild(make("div", "map"));
    this.svg = this.root.appendChild(draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: 0, role: "application" }));
    this.svg.setAttribute("aria-label", "Map of sounds. Arrows go from point to point, Enter selects, Escape stops.");
    this.marks = this.svg.appendChild(draw("g", {}));
    this.chosen = this.svg.appendChild(draw("circle", { r: 13, class: "here chosen", visibility: "hidden" }));
    this.ring = this.svg.appendChild(draw("circle", { r: 11, class: "here", visibility: "hidden" }));
    this.box = this.svg.appendChild(draw("rect", { class: "box", visibility: "hidden" }));
    this.legend = this.root.appendChild(make("div", "legend"));
    this.status = makeStatus(this.root);
    this.stop = this.stop.bind(this);
    this.svg.addEventListener("pointermove", (event) => this.moved(event));
    this.svg.addEventListener("pointerdown", (event) => this.pressed(event));
    this.svg.addEventListener("pointerup", (event) => this.released(event));
    this.svg.addEventListener("pointerleave", () => this.from || this.sequence || this.leave());
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  update({ data, setStateValue }) {
    this.report = setStateValue;
    const json = JSON.stringify(data);
    if (json === this.json) return;
    const before = this.json && JSON.parse(this.json);
    this.json = json;
    this.sheets = data.sheets;
    this.classes = data.classes;
    if (JSON.stringify(before?.points) !== JSON.stringify(data.points)) this.place(data.points);
    this.mark(this.chosen, this.points.find((point) => point.kind === data.selected?.kind && point.number === data.selected?.number));
  }

  // Points in pixels of the drawing; the shown class, or all.
  place(points) {
    this.stop();
    const [left, right, low, high] = [
      Math.min(...points.map((point) => point.x)),
      Math.max(...points.map((point) => point.x)),
      Math.min(...points.map((point) => point.y)),
      Math.max(...points.map((point) => point.y)),
    ];
    const scale = (value, from, to, size) => MARGIN + ((value - from) / (to - from || 1)) * (size - 2 * MARGIN);
    this.points = points.map((point) => ({
      ...point,
      x: scale(point.x, left, right, WIDTH),
      y: HEIGHT - scale(point.y, low, high, HEIGHT),
    }));
    this.at = null;
    this.only = null;
    this.marks.replaceChildren(...this.points.map((point) => (point.mark = this.drawn(point))));
    this.legend.replaceChildren(...this.classes.map((each, label) => this.entry(each, label)));
    this.mark(this.ring, null);
    this.tell();
  }

  drawn({ kind, label, x, y }) {
    const { colour } = this.classes[label];
    const r = RADIUS[kind];
    if (kind !== "centre") return draw("circle", { cx: x, cy: y, r, fill: colour, class: kind });
    return draw("path", { d: `M${x - r} ${y}h${2 * r}M${x} ${y - r}v${2 * r}`, stroke: colour, class: kind });
  }

  // A press shows one class alone, a second one all.
  entry({ name, colour }, label) {
    const button = make("button", "action");
    const dot = button.appendChild(make("i"));
    dot.style.background = colour;
    button.append(name);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      this.only = this.only === label ? null : label;
      [...this.legend.children].forEach((each, other) => each.setAttribute("aria-pressed", String(other === this.only)));
      for (const point of this.points) point.mark.classList.toggle("dim", !this.shown(point));
    });
    return button;
  }

  shown(point) {
    return this.only === null || this.only === point.label;
  }

  mark(ring, point) {
    ring.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) return;
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
  }

  tell(text = "Point at a sound to hear it, press to select it, drag a box to hear all in it.") {
    this.status.textContent = text;
  }

  name(point) {
    const kinds = { clip: "Training clip", track: "Synthetic track", centre: "Mean" };
    return `${kinds[point.kind]} of ${this.classes[point.label].name}${point.name ? `: ${point.name}` : ""}`;
  }

  position(event) {
    const frame = this.svg.getBoundingClientRect();
    return { x: ((event.clientX - frame.x) * WIDTH) / frame.width, y: ((event.clientY - frame.y) * HEIGHT) / frame.height };
  }

  // Tracks lie above clips.
  nearest({ x, y }) {
    const distance = (point) => Math.hypot(point.x - x, point.y - y) - (point.kind === "track" ? RADIUS.track : 0);
    const shown = this.points.filter((point) => this.shown(point) && point.kind !== "centre");
    const point = shown.reduce((best, each) => (best && distance(best) <= distance(each) ? best : each), null);
    return point && distance(point) <= NEAR ? point : null;
  }

  moved(event) {
    const here = this.position(event);
    if (this.from) {
      const [x, y] = [Math.min(here.x, this.from.x), Math.min(here.y, this.from.y)];
      const [width, height] = [Math.abs(here.x - this.from.x), Math.abs(here.y - this.from.y)];
      if (Math.max(width, height) > NEAR) this.box.setAttribute("visibility", "visible");
      for (const [key, value] of Object.entries({ x, y, width, height })) this.box.setAttribute(key, value);
      return;
    }
    const point = this.nearest(here);
    if (this.sequence || point === this.at) return;
    if (point) this.go(point);
    else this.leave();
  }

  pressed(event) {
    audio();
    this.from = this.position(event);
    this.svg.setPointerCapture(event.pointerId);
  }

  released(event) {
    if (!this.from) return;
    const [from, to] = [this.from, this.position(event)];
    this.from = null;
    const boxed = this.box.getAttribute("visibility") === "visible";
    this.box.setAttribute("visibility", "hidden");
    if (boxed) this.playIn(from, to);
    else this.select(this.nearest(to));
  }

  select(point) {
    this.stop();
    if (!point) return;
    this.go(point);
    this.mark(this.chosen, point);
    this.report("point", { kind: point.kind, number: point.number });
  }

  // All points in a box, from left to right.
  playIn(from, to) {
    const inside = (value, one, other) => value >= Math.min(one, other) && value <= Math.max(one, other);
    const points = this.points.filter(
      (point) => this.shown(point) && point.sheet && inside(point.x, from.x, to.x) && inside(point.y, from.y, to.y),
    );
    this.stop();
    this.sequence = points.toSorted((one, other) => one.x - other.x);
    this.next();
  }

  next() {
    const point = this.sequence?.shift();
    if (point) this.go(point);
    else this.stop();
  }

  go(point) {
    this.at = point;
    this.mark(this.ring, point);
    this.tell(this.name(point));
    this.play(point);
  }

  leave() {
    this.at = null;
    this.mark(this.ring, null);
    this.silence();
    this.tell();
  }

  async play(point) {
    this.silence();
    // A browser refuses to sound before the first press anywhere on the page.
    if (!shared.context && !navigator.userActivation?.hasBeenActive) return this.tell(`${this.name(point)}. Press once for sound.`);
    const sheet = this.sheets[point.sheet];
    if (!sheet) return;
    this.wanted = point;
    takeTurn(this.stop);
    const buffer = await decoded(sheet.sound).catch(() => null);
    if (this.wanted !== point) return;
    if (!buffer) return this.tell("The sound could not be loaded. Reload the page.");
    this.playing = fadedIn(buffer, point.place * sheet.seconds, sheet.seconds);
    const { source } = this.playing;
    this.root.dataset.playing = `${point.kind} ${point.number}`;
    source.onended = () => {
      if (this.playing?.source !== source) return;
      this.silence();
      if (this.sequence) this.next();
    };
  }

  silence() {
    this.wanted = null;
    if (this.playing) fadeOut(this.playing);
    this.playing = null;
    delete this.root.dataset.playing;
  }

  stop() {
    this.sequence = null;
    this.silence();
    leaveTurn(this.stop);
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = steps[event.key];
    if (step) this.walk(...step);
    else if ((event.key === "Enter" || event.key === " ") && this.at) this.select(this.at);
    else if (event.key === "Escape") this.stop();
    else return;
    event.preventDefault();
  }

  // To the nearest point in a direction; what lies aside of it counts as further away.
  walk(right, down) {
    audio();
    const from = this.at ?? { x: WIDTH / 2, y: HEIGHT / 2 };
    const cost = (point) => {
      const along = (point.x - from.x) * right + (point.y - from.y) * down;
      const aside = Math.abs((point.x - from.x) * down) + Math.abs((point.y - from.y) * right);
      return along > 0.5 ? along + 3 * aside : Infinity;
    };
    const others = this.points.filter((point) => point !== this.at && point.kind !== "centre" && this.shown(point));
    const best = others.reduce((one, other) => (one && cost(one) <= cost(other) ? one : other), null);
    this.sequence = null;
    if (best && cost(best) < Infinity) this.go(best);
  }

  end() {
    this.stop();
    this.root.remove();
  }
}
