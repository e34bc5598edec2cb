// The time-frequency plane: events over a spectrogram, heard and edited by pointer and keys. An edit shows and sounds at
// once; the app stores it and sends the events as they are then.

const planes = new WeakMap();

// Pixels: the strip of piano keys, the axis of seconds, half the height of a bar, and how near a pointer has to be.
const PIANO = 44;
const AXIS = 22;
const BAR = 3;
const NEAR = 8;
const EDGE = 6;
// Pixels a pointer may move in a press that is no drag.
const STILL = 4;
// Decibels below the loudest event at which an event is faint, and the least share of its colour that it keeps.
const FAINT = 50;
const LEAST = 0.35;
// Margin of the first view in octaves.
const MARGIN = 0.4;
// The most events that a preview plays, and the range of its peak: soft events are raised, none clips.
const MOST_PLAYED = 64;
const [SOFTEST, LOUDEST] = [0.1, 0.9];
const COLOURS = { event: "244, 238, 248", selected: "255, 95, 168", muted: "123, 115, 134" };
const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const HELP =
  "Press an event to hear it, Shift adds to the selection, a drag on empty space selects a box. Drag an event to move and " +
  "transpose it, its ends to stretch it; Alt copies. Keys: arrows go from event to event, Enter selects, Space plays, " +
  "Shift and arrows move and transpose, comma and period shorten and lengthen, Delete, Ctrl+D copies, Ctrl+Z, Ctrl+A, " +
  "plus, minus and 0 zoom.";

export default function (component) {
  return mounted(planes, component, Plane);
}

class Plane {
  constructor(root) {
    this.root = root.appendChild(make("section", "plane"));
    this.canvas = this.root.appendChild(make("canvas", "canvas"));
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", `Events. ${HELP}`);
    const bar = this.root.appendChild(make("div", "bar"));
    this.control(bar, "+", "Zoom in", () => this.zoom(0.5, 1));
    this.control(bar, "−", "Zoom out", () => this.zoom(2, 1));
    this.control(bar, "Fit", "Show all events", () => this.show(this.whole()));
    this.status = makeStatus(bar);
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", (event) => this.up(event));
    this.canvas.addEventListener("pointercancel", () => this.cancel());
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.redraw());
    this.canvas.addEventListener("blur", () => this.redraw());
    this.position = this.position.bind(this);
    document.addEventListener("distrack-position", this.position);
    this.seen = new ResizeObserver(() => this.redraw());
    this.seen.observe(this.canvas);
    this.stop = this.stop.bind(this);
    // Edits carry this name and a number, so that the app does each once.
    this.name = Math.random().toString(36).slice(2);
    this.edits = [];
    this.counted = 0;
    this.chosen = 0;
    // By their places among the drawn events; and whether others are selected that are not drawn.
    this.selection = new Set();
    this.others = false;
    this.focus = null;
    this.drag = null;
  }

  control(bar, text, label, act) {
    const button = bar.appendChild(make("button", "action", text));
    button.setAttribute("aria-label", label);
    button.title = label;
    button.addEventListener("click", act);
    return button;
  }

  // What comes from the app

  update({ data, setStateValue, setTriggerValue }) {
    this.setState = setStateValue;
    this.setTrigger = setTriggerValue;
    this.data = data;
    const done = data.done.name === this.name ? data.done.number : 0;
    this.edits = this.edits.filter((edit) => edit.number > done);
    this.canvas.style.height = `${data.height}px`;
    this.takeSelection();
    this.load();
  }

  takeSelection() {
    const { chosen } = this.data;
    const known = chosen.name === this.name ? chosen.number : 0;
    // A selection that was made here and that the app does not know yet stays.
    if (this.edits.length || known < this.chosen) return;
    this.selectNumbers(chosen.numbers);
    this.others = chosen.others;
    this.redraw();
  }

  // Selects drawn events by their numbers in the whole clip.
  selectNumbers(numbers) {
    if (!this.clip) return;
    const places = new Map(this.clip.numbers.map((number, place) => [number, place]));
    this.selection = new Set(numbers.map((number) => places.get(number)).filter((place) => place !== undefined));
    this.root.dataset.selected = this.selection.size;
  }

  numbersOf(places) {
    return [...places].map((place) => this.clip.numbers[place]).sort((one, other) => one - other);
  }

  async load() {
    const { events, picture } = this.data;
    if (picture !== this.pictureUrl) {
      this.pictureUrl = picture;
      loadedImage(picture)
        .then(() => {
          if (picture !== this.pictureUrl) return;
          this.picture = new Image();
          this.picture.src = picture;
          this.picture.decode().then(() => this.redraw());
        })
        .catch(() => {});
    }
    if (events === this.loaded || this.edits.length) return;
    this.loaded = events;
    const content = await fetched(events).catch(() => null);
    if (!content || events !== this.loaded || this.edits.length) return;
    this.take(JSON.parse(new TextDecoder().decode(content)));
  }

  take(clip) {
    const before = this.clip;
    const selected = before ? this.numbersOf(this.selection) : [];
    this.clip = clip;
    this.renumbered = false;
    clip.columns = Object.fromEntries(clip.names.map((name, place) => [name, place]));
    clip.rows = table(clip.rows, clip.names.length);
    clip.boxes = table(clip.boxes, 7).map(([start, end, onset, low, high, pitch, energy], number) => {
      const middle = clip.kind === "gabor" || (clip.kind === "atoms" && clip.rows[number][clip.columns.shape] === 0);
      return { start, end, onset, low, high, pitch, energy, middle };
    });
    clip.muted = table(clip.muted, 1).map(([muted]) => Boolean(muted));
    const length = clip.waveforms.own.length && clip.waveforms.length;
    const waves = length ? table(clip.waveforms.samples, length) : [];
    clip.waveforms = waves.map((samples, number) => ({ samples, own: clip.waveforms.own[number] }));
    clip.layers = clip.layers.map(({ weights, biases }) => ({ weights: floatsOf(weights), biases: floatsOf(biases) }));
    this.selectNumbers(selected);
    this.takeSelection();
    this.loudest = Math.max(...clip.boxes.map((box) => box.energy), 1e-20);
    const same = before?.begin === clip.begin && before.seconds === clip.seconds;
    if (!same || this.focus >= clip.rows.length) this.focus = null;
    if (!same) {
      this.view = this.whole();
      this.status.textContent = "";
    }
    this.root.dataset.events = clip.rows.length;
    this.redraw();
  }

  // The part of the plane that holds all but the faintest events.
  whole() {
    const { boxes, low, high, begin, seconds } = this.clip;
    const heard = boxes.filter((box) => this.decibels(box) > -FAINT);
    const lows = heard.map((box) => Math.log2(Math.max(box.pitch || box.low, low)));
    const highs = heard.map((box) => Math.log2(Math.min(Math.max(box.pitch || box.high, low), high)));
    const [least, most] = [Math.log2(low), Math.log2(high)];
    const bottom = Math.max(Math.min(...lows, most - 2) - MARGIN, least);
    const top = Math.min(Math.max(...highs, bottom + 2) + MARGIN, most);
    return { start: begin, end: begin + seconds, bottom, top };
  }

  // Places

  get width() {
    return this.canvas.clientWidth - PIANO;
  }

  get height() {
    return this.canvas.clientHeight - AXIS;
  }

  x(seconds) {
    const { start, end } = this.view;
    return PIANO + ((seconds - start) / (end - start)) * this.width;
  }

  y(hertz) {
    const { bottom, top } = this.view;
    return ((top - Math.log2(Math.max(hertz, 1))) / (top - bottom)) * this.height;
  }

  secondsAt(x) {
    const { start, end } = this.view;
    return start + ((x - PIANO) / this.width) * (end - start);
  }

  octavesAt(y) {
    const { bottom, top } = this.view;
    return top - (y / this.height) * (top - bottom);
  }

  pointer(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // The event under a pointer, and which end of it; selected events and loud ones are found first.
  at({ x, y }) {
    let best = null;
    this.clip.boxes.forEach((box, number) => {
      const { left, right, above, below } = this.rectangle(box);
      const away = Math.max(left - x, x - right, 0) / 2 + Math.max(above - y, y - below, 0);
      if (away > NEAR) return;
      const rank = away - (this.selection.has(number) ? NEAR : 0) - 1e-3 * this.decibels(box);
      if (best && best.rank <= rank) return;
      const wide = right - left > 3 * EDGE;
      const end = wide && Math.abs(x - right) < EDGE ? "right" : wide && Math.abs(x - left) < EDGE ? "left" : "";
      best = { number, rank, end };
    });
    return best;
  }

  // A bar at the pitch of an event, or its band if it has no pitch.
  rectangle(box) {
    const [left, right] = [this.x(box.start), Math.max(this.x(box.end), this.x(box.start) + 4)];
    if (box.pitch) return { left, right, above: this.y(box.pitch) - BAR, below: this.y(box.pitch) + BAR };
    return { left, right, above: Math.max(this.y(box.high), 0), below: Math.min(this.y(box.low), this.height) };
  }

  decibels(box) {
    return 10 * Math.log10(Math.max(box.energy / this.loudest, 1e-12));
  }

  // Drawing

  redraw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }

  draw() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !this.clip) return;
    const scale = devicePixelRatio;
    if (this.canvas.width !== Math.round(clientWidth * scale) || this.canvas.height !== Math.round(clientHeight * scale)) {
      this.canvas.width = Math.round(clientWidth * scale);
      this.canvas.height = Math.round(clientHeight * scale);
    }
    const brush = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    brush.setTransform(scale, 0, 0, scale, 0, 0);
    brush.font = `12px ${style.fontFamily}`;
    brush.fillStyle = "#0b0713";
    brush.fillRect(0, 0, clientWidth, clientHeight);
    brush.save();
    brush.beginPath();
    brush.rect(PIANO, 0, this.width, this.height);
    brush.clip();
    this.drawPicture(brush);
    this.shown().forEach(([box, number]) => this.drawEvent(brush, box, number));
    this.drawBox(brush);
    this.drawPlayhead(brush);
    brush.restore();
    this.drawPiano(brush);
    this.drawSeconds(brush);
    this.drawLabel(brush);
    const { start, end, bottom, top } = this.view;
    this.root.dataset.view = [start, end, bottom, top].map((value) => value.toFixed(4)).join(" ");
  }

  drawPicture(brush) {
    if (!this.picture?.complete) return;
    const { low, high, begin, seconds } = this.clip;
    const [left, right] = [this.x(begin), this.x(begin + seconds)];
    const [above, below] = [this.y(high), this.y(low)];
    brush.globalAlpha = 0.8;
    brush.drawImage(this.picture, left, above, right - left, below - above);
    brush.globalAlpha = 1;
  }

  // Boxes with their numbers as they are drawn: dragged ones where the drag has brought them, selected ones last.
  shown() {
    const { boxes } = this.clip;
    const moved = this.drag?.change && this.drag.which;
    const pairs = boxes.map((box, number) => [box, number]);
    if (!moved) return pairs.sort((one, other) => this.selection.has(one[1]) - this.selection.has(other[1]));
    const copies = moved.map((number) => [changedBox(boxes[number], this.drag.change), number]);
    const others = this.drag.copies ? pairs : pairs.filter(([, number]) => !this.drag.among.has(number));
    return [...others, ...copies];
  }

  drawEvent(brush, box, number) {
    const { left, right, above, below } = this.rectangle(box);
    if (right < PIANO || left > this.canvas.clientWidth) return;
    const selected = this.selection.has(number);
    const name = selected ? "selected" : this.clip.muted[number] ? "muted" : "event";
    const colour = COLOURS[name];
    const strength = Math.max(1 + this.decibels(box) / FAINT, 0) * (1 - LEAST) + LEAST;
    // From the onset to the end as the event dies away, or to both sides of its middle.
    const fade = brush.createLinearGradient(left, 0, right, 0);
    const shape = box.middle ? [0.15, 1, 0.15] : [1, 0.45, 0.08];
    shape.forEach((part, place) => fade.addColorStop(place / 2, `rgba(${colour}, ${part * strength})`));
    brush.fillStyle = fade;
    if (box.pitch) {
      brush.fillRect(left, above, right - left, below - above);
    } else {
      brush.globalAlpha = 0.35;
      brush.fillRect(left, above, right - left, below - above);
      brush.globalAlpha = 1;
    }
    if (!box.middle || !box.pitch) {
      brush.fillStyle = `rgba(${colour}, ${strength})`;
      brush.fillRect(left, above, 2, Math.max(below - above, 2));
    }
    const focused = number === this.focus && document.activeElement && this.canvas.matches(":focus-visible");
    if (selected || focused || number === this.over?.number) {
      brush.strokeStyle = `rgba(${focused ? "255, 255, 255" : colour}, 0.95)`;
      brush.lineWidth = focused ? 2 : 1;
      brush.strokeRect(left - 2, above - 2, right - left + 4, below - above + 4);
    }
  }

  drawBox(brush) {
    if (this.drag?.kind !== "box" || !this.drag.moved) return;
    const { from, to } = this.drag;
    brush.fillStyle = `rgba(${COLOURS.selected}, 0.15)`;
    brush.strokeStyle = `rgba(${COLOURS.selected}, 0.9)`;
    const area = [Math.min(from.x, to.x), Math.min(from.y, to.y), Math.abs(to.x - from.x), Math.abs(to.y - from.y)];
    brush.fillRect(...area);
    brush.strokeRect(...area);
  }

  drawPlayhead(brush) {
    if (this.playhead === undefined) return;
    brush.fillStyle = "rgba(255, 255, 255, 0.9)";
    brush.fillRect(this.x(this.clip.begin + this.playhead) - 1, 0, 2, this.height);
  }

  drawPiano(brush) {
    const { bottom, top } = this.view;
    const semitone = this.height / (12 * (top - bottom));
    brush.fillStyle = "#f2eef6";
    brush.fillRect(0, 0, PIANO, this.height);
    const [lowest, highest] = [Math.floor(midi(2 ** bottom)), Math.ceil(midi(2 ** top))];
    for (let note = lowest; note <= highest; note++) {
      const middle = this.y(hertz(note));
      const black = NOTES[((note % 12) + 12) % 12].length > 1;
      brush.fillStyle = "#1d1626";
      if (black && semitone > 2) brush.fillRect(0, middle - semitone / 2, PIANO * 0.6, semitone);
      if (note % 12 !== 0) continue;
      brush.fillRect(0, middle + semitone / 2, PIANO, 1);
      brush.textAlign = "right";
      brush.textBaseline = "middle";
      brush.fillText(noteName(note), PIANO - 3, Math.min(Math.max(middle, 7), this.height - 7));
    }
    brush.textAlign = "left";
    for (const label of [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]) {
      const place = this.y(label);
      if (place < 8 || place > this.height - 8) continue;
      const text = label < 1000 ? `${label} Hz` : `${label / 1000} kHz`;
      brush.fillStyle = "rgba(11, 7, 19, 0.65)";
      brush.fillRect(PIANO + 2, place - 8, brush.measureText(text).width + 8, 16);
      brush.fillStyle = "#cfc6da";
      brush.fillText(text, PIANO + 6, place);
    }
  }

  drawSeconds(brush) {
    const { start, end } = this.view;
    const rough = (end - start) / Math.max(this.width / 90, 1);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
    brush.fillStyle = "#17111f";
    brush.fillRect(0, this.height, this.canvas.clientWidth, AXIS);
    brush.fillStyle = "#cfc6da";
    brush.textAlign = "center";
    brush.textBaseline = "middle";
    const digits = Math.max(0, -Math.floor(Math.log10(step)));
    for (let mark = Math.ceil(start / step) * step; mark <= end + 1e-9; mark += step) {
      const place = this.x(mark);
      brush.fillRect(place, this.height, 1, 4);
      if (place > PIANO + 10 && place < this.canvas.clientWidth - 20)
        brush.fillText(`${mark.toFixed(digits)} s`, place, this.height + AXIS / 2 + 2);
    }
  }

  // What a drag does, beside the pointer.
  drawLabel(brush) {
    if (!this.drag?.change) return;
    const text = this.describe(this.drag.change);
    const { x, y } = this.drag.to;
    brush.textAlign = "left";
    brush.font = `14px ${getComputedStyle(this.canvas).fontFamily}`;
    const width = brush.measureText(text).width + 16;
    const left = Math.min(x + 14, this.canvas.clientWidth - width);
    const above = Math.max(y - 34, 0);
    brush.fillStyle = "rgba(11, 7, 19, 0.9)";
    brush.fillRect(left, above, width, 26);
    brush.fillStyle = "#fff";
    brush.fillText(text, left + 8, above + 14);
  }

  describe(change) {
    if (change.factor !== undefined) return `× ${change.factor.toFixed(2)} long`;
    const box = changedBox(this.clip.boxes[this.drag?.number ?? this.focus], change);
    const sign = (value) => `${value > 0 ? "+" : ""}${value}`;
    const parts = [noteName(Math.round(midi(box.pitch || Math.sqrt(box.low * box.high))))];
    if (change.semitones) parts.push(`${sign(Number(change.semitones.toFixed(2)))} semitones`);
    if (change.seconds) parts.push(`${sign(Number(change.seconds.toFixed(3)))} s`);
    return parts.join("  ");
  }

  // Pointer

  down(event) {
    if (event.button !== 0 || !this.clip) return;
    const begun = performance.now();
    const from = this.pointer(event);
    if (from.x < PIANO || from.y > this.height) return;
    this.canvas.setPointerCapture(event.pointerId);
    const hit = this.at(from);
    this.drag = { from, to: from, kind: "box", adding: event.shiftKey, moved: false };
    if (!hit) return;
    const { number, end } = hit;
    this.focus = number;
    if (event.shiftKey) this.select(toggled(this.selection, number), this.others);
    else if (!this.selection.has(number)) this.select([number]);
    this.play([number], begun);
    if (!this.data.editable || !this.selection.has(number)) this.drag = null;
    else this.hold({ from, number, end, copies: event.altKey && !end });
    this.redraw();
  }

  hold({ from, number, end, copies }) {
    const which = [...this.selection].sort((one, other) => one - other);
    const kind = end ? "stretch" : "move";
    this.drag = { kind, from, to: from, number, end, copies, which, among: new Set(which), moved: false };
  }

  move(event) {
    const to = this.pointer(event);
    if (!this.drag) {
      this.hover(this.clip && to.x >= PIANO && to.y <= this.height ? this.at(to) : null);
      return;
    }
    this.drag.to = to;
    const { from } = this.drag;
    this.drag.moved ||= Math.hypot(to.x - from.x, to.y - from.y) > STILL;
    if (this.drag.moved && this.drag.kind !== "box") this.pull(event);
    this.redraw();
  }

  pull(event) {
    const { drag, clip } = this;
    const later = this.secondsAt(drag.to.x) - this.secondsAt(drag.from.x);
    if (drag.kind === "stretch") {
      const { start, end } = clip.boxes[drag.number];
      const length = Math.max(end - start, 1e-3);
      const factor = Math.min(Math.max((length + (drag.end === "right" ? later : -later)) / length, 0.05), 20);
      drag.change = drag.end === "right" ? { factor } : { factor, anchor: end };
      return;
    }
    const octaves = this.octavesAt(drag.to.y) - this.octavesAt(drag.from.y);
    // Whole semitones, unless Ctrl asks for what lies between.
    const fine = event.ctrlKey || event.metaKey;
    const semitones = fine ? 12 * octaves : Math.round(12 * octaves);
    const before = drag.change?.semitones ?? 0;
    drag.change = { seconds: later, semitones };
    if (semitones !== before) this.preview();
  }

  up() {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (drag.kind === "box") this.selectBox(drag);
    else if (drag.change) this.drop(drag);
    this.redraw();
  }

  cancel() {
    this.drag = null;
    this.redraw();
  }

  selectBox({ from, to, moved, adding }) {
    if (!moved) {
      if (!adding) this.select([]);
      return;
    }
    const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
    const [above, below] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
    const touched = this.clip.boxes.flatMap((box, number) => {
      const area = this.rectangle(box);
      return area.left <= right && area.right >= left && area.above <= below && area.below >= above ? [number] : [];
    });
    this.select(adding ? [...this.selection, ...touched] : touched, adding && this.others);
    this.play(touched);
  }

  drop({ change, which, copies, kind }) {
    this.edit(copies ? "copy" : kind, which, change);
    this.play([...this.selection]);
  }

  hover(hit) {
    this.canvas.style.cursor = !hit ? "crosshair" : hit.end && this.data.editable ? "ew-resize" : "grab";
    if (hit?.number === this.over?.number) return;
    this.over = hit;
    if (hit) this.tell(hit.number);
    this.redraw();
  }

  tell(number) {
    const box = this.clip.boxes[number];
    const pitch = box.pitch ? `${noteName(Math.round(midi(box.pitch)))}, ${Math.round(box.pitch)} Hz` : "noise";
    const muted = this.clip.muted[number] ? ", muted" : "";
    const level = `${this.decibels(box).toFixed(0)} dB`;
    const length = `${Math.max(box.end - box.start, 0).toFixed(3)} s long`;
    this.status.textContent = `Event ${this.clip.numbers[number]}: ${pitch}, at ${box.onset.toFixed(3)} s, ${length}, ${level}${muted}`;
  }

  wheel(event) {
    if (!this.clip) return;
    event.preventDefault();
    const { x, y } = this.pointer(event);
    const factor = 2 ** (event.deltaY / 400);
    const { start, end } = this.view;
    if (event.ctrlKey || event.metaKey) this.zoom(1, factor, { x, y });
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = ((event.deltaX || event.deltaY) / this.width) * (end - start);
      this.show({ ...this.view, start: start + by, end: end + by });
    } else this.zoom(factor, 1, { x, y });
  }

  zoom(wider, taller, at = { x: PIANO + this.width / 2, y: this.height / 2 }) {
    const { start, end, bottom, top } = this.view;
    const [here, octave] = [this.secondsAt(at.x), this.octavesAt(at.y)];
    this.show({
      start: here - (here - start) * wider,
      end: here + (end - here) * wider,
      bottom: octave - (octave - bottom) * taller,
      top: octave + (top - octave) * taller,
    });
  }

  show({ start, end, bottom, top }) {
    const { begin, seconds, low, high } = this.clip;
    const [least, most] = [Math.log2(low), Math.log2(high)];
    const length = Math.min(Math.max(end - start, 0.02), seconds);
    const octaves = Math.min(Math.max(top - bottom, 0.5), most - least);
    const first = Math.min(Math.max(start, begin), begin + seconds - length);
    const base = Math.min(Math.max(bottom, least), most - octaves);
    this.view = { start: first, end: first + length, bottom: base, top: base + octaves };
    this.redraw();
  }

  // Keys

  key(event) {
    if (!this.clip) return;
    const command = event.ctrlKey || event.metaKey;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = command ? this.commands()[event.shiftKey ? `Shift ${name}` : name] : this.keys(event)[name];
    if (!act || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
    this.redraw();
  }

  commands() {
    const all = this.clip.rows.map((_, number) => number);
    return {
      a: () => this.select(all),
      z: () => this.edit("undo"),
      "Shift z": () => this.edit("redo"),
      y: () => this.edit("redo"),
      d: () => this.selection.size && this.edit("copy", [...this.selection], { seconds: 0.1, semitones: 0 }),
    };
  }

  keys(event) {
    const shift = (seconds, semitones) => () => this.nudge("move", { seconds, semitones });
    const moves = {
      ArrowLeft: shift(-0.01, 0),
      ArrowRight: shift(0.01, 0),
      ArrowUp: shift(0, 1),
      ArrowDown: shift(0, -1),
    };
    const steps = {
      ArrowLeft: () => this.step(-1, 0),
      ArrowRight: () => this.step(1, 0),
      ArrowUp: () => this.step(0, 1),
      ArrowDown: () => this.step(0, -1),
    };
    return {
      ...(event.shiftKey ? moves : steps),
      " ": () => (this.playing ? this.stop() : this.play(this.selection.size ? [...this.selection] : [this.focus])),
      Enter: () => this.focus !== null && this.select(toggled(this.selection, this.focus), this.others),
      Escape: () => (this.playing ? this.stop() : this.select([])),
      Delete: () => this.nudge("remove"),
      Backspace: () => this.nudge("remove"),
      ",": () => this.nudge("stretch", { factor: 1 / 1.1 }),
      ".": () => this.nudge("stretch", { factor: 1.1 }),
      "+": () => this.zoom(0.5, 1),
      "=": () => this.zoom(0.5, 1),
      "-": () => this.zoom(2, 1),
      0: () => this.show(this.whole()),
    };
  }

  // The next event in time, or the nearest one above or below.
  step(later, higher) {
    const { boxes } = this.clip;
    if (!boxes.length) return;
    const order = boxes.map((_, number) => number);
    const place = (number) => (later ? boxes[number].onset : (boxes[number].pitch || boxes[number].low));
    order.sort((one, other) => place(one) - place(other) || one - other);
    const at = this.focus === null ? -1 : order.indexOf(this.focus);
    this.focus = order[Math.min(Math.max(at + later + higher, 0), order.length - 1)];
    this.tell(this.focus);
    this.play([this.focus]);
  }

  nudge(name, change = {}) {
    if ((!this.selection.size && !this.others) || !this.data.editable) return;
    this.edit(name, [...this.selection], change);
    if (name !== "remove") this.play([...this.selection]);
  }

  // Edits and selection

  // Shows an edit at once and sends it; the app stores it, and makes it to the selected events that are not drawn too.
  edit(name, which = [], change = {}) {
    if (!this.data.editable) return;
    if (this.renumbered && which.length) {
      this.status.textContent = "The events have new numbers, which are on their way.";
      return;
    }
    which = [...which].sort((one, other) => one - other);
    const edit = { number: ++this.counted, name, which: this.numbersOf(which), others: this.others, arguments: change };
    this.edits.push(edit);
    this.apply(name, which, change);
    this.send();
  }

  apply(name, which, change) {
    const { clip } = this;
    // What the app stores is loaded once it has done this edit.
    this.loaded = null;
    const moved = which.map((number) => [changed(clip, clip.rows[number], change), changedBox(clip.boxes[number], change)]);
    if (name === "copy") {
      const first = clip.rows.length;
      moved.forEach(([row, box], place) => {
        clip.rows.push(row);
        clip.boxes.push(box);
        clip.muted.push(clip.muted[which[place]]);
        // In the app, copies stand after all events of the clip.
        clip.numbers.push(clip.total++);
      });
      this.renumbered = this.others;
      this.select(this.others ? [] : which.map((_, place) => first + place));
    } else if (name === "remove") {
      const gone = new Set(which);
      const removed = this.numbersOf(which);
      const parts = ["rows", "boxes", "muted", "numbers"];
      for (const part of parts) clip[part] = clip[part].filter((_, place) => !gone.has(place));
      clip.numbers = clip.numbers.map((number) => number - removed.filter((each) => each < number).length);
      clip.total -= removed.length;
      this.renumbered = this.others;
      this.focus = null;
      this.select([]);
    } else if (name === "undo" || name === "redo") {
      this.select([]);
    } else {
      which.forEach((number, place) => ([clip.rows[number], clip.boxes[number]] = moved[place]));
    }
    this.root.dataset.events = clip.rows.length;
    this.redraw();
  }

  // All edits that the app has not done yet: one that is on its way when the page runs again would be lost.
  send() {
    this.setTrigger("edits", { name: this.name, edits: this.edits });
  }

  // Selects drawn events. `others`: the selected events that are not drawn stay selected.
  select(places, others = false) {
    this.selection = new Set(places);
    this.others = others;
    this.chosen += 1;
    const numbers = this.numbersOf(this.selection);
    const chosen = { name: this.name, number: this.chosen, numbers, others };
    this.root.dataset.selected = numbers.length;
    clearTimeout(this.telling);
    // The page below follows when the hand rests.
    this.telling = setTimeout(() => this.setState("chosen", chosen), 150);
    this.redraw();
  }

  // Sound

  preview() {
    const rows = this.drag.which.map((number) => changed(this.clip, this.clip.rows[number], this.drag.change));
    this.sound(rows, performance.now());
  }

  play(numbers, begun = performance.now()) {
    const known = numbers.filter((number) => number !== null && this.clip.rows[number]);
    const loud = known.sort((one, other) => this.clip.boxes[other].energy - this.clip.boxes[one].energy);
    if (loud.length) this.sound(loud.slice(0, MOST_PLAYED).map((number) => this.clip.rows[number]), begun);
  }

  sound(rows, begun) {
    const context = audio();
    const { waves } = synthesised(this.clip, rows);
    this.stop();
    takeTurn(this.stop);
    const buffer = context.createBuffer(waves.length, waves[0].length, this.clip.rate);
    let peak = 1e-6;
    for (const wave of waves) for (const sample of wave) peak = Math.max(peak, Math.abs(sample));
    waves.forEach((wave, channel) => buffer.getChannelData(channel).set(wave));
    const source = context.createBufferSource();
    const gain = context.createGain();
    const level = Math.min(Math.max(1, SOFTEST / peak), LOUDEST / peak);
    gain.gain.value = level;
    source.buffer = buffer;
    source.connect(gain).connect(context.destination);
    source.start();
    source.onended = () => this.playing?.source === source && this.stop();
    this.playing = { source, gain };
    this.root.dataset.sounded = (performance.now() - begun).toFixed(1);
    this.root.dataset.peak = (peak * level).toFixed(3);
  }

  stop() {
    leaveTurn(this.stop);
    if (!this.playing) return;
    fadeOut(this.playing);
    this.playing = null;
  }

  // The playhead of the player below.
  position({ detail }) {
    if (detail.title !== this.data?.player) return;
    this.playhead = detail.position;
    this.redraw();
  }

  end() {
    this.stop();
    clearTimeout(this.telling);
    cancelAnimationFrame(this.drawing);
    this.seen.disconnect();
    document.removeEventListener("distrack-position", this.position);
    this.root.remove();
  }
}

function toggled(set, number) {
  return set.has(number) ? [...set].filter((each) => each !== number) : [...set, number];
}

// Float32 numbers from their base64.
function floatsOf(text) {
  return new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

// The same in rows.
function table(text, columns) {
  const all = floatsOf(text);
  return Array.from({ length: all.length / columns }, (_, row) =>
    Array.from(all.subarray(row * columns, (row + 1) * columns)),
  );
}

// A box after an edit, as far as it can be known without the engine.
function changedBox(box, { seconds = 0, semitones = 0, factor = 1, anchor }) {
  const ratio = 2 ** (semitones / 12);
  const onset = (anchor === undefined ? box.onset : anchor + (box.onset - anchor) * factor) + seconds;
  const [start, end] = [onset + (box.start - box.onset) * factor, onset + (box.end - box.onset) * factor];
  return { ...box, onset, start, end, pitch: box.pitch * ratio, low: box.low * ratio, high: box.high * ratio };
}

function midi(frequency) {
  return 69 + 12 * Math.log2(Math.max(frequency, 1) / 440);
}

function hertz(note) {
  return 440 * 2 ** ((note - 69) / 12);
}

function noteName(note) {
  return `${NOTES[((note % 12) + 12) % 12]}${Math.floor(note / 12) - 1}`;
}
