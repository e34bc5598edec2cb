// The soundboard: a grid of tiles, a column for each class and a row for each track; many classes the other way round.

const boards = new WeakMap();
// Classes that have room beside each other.
const ABREAST = 12;

export default function (component) {
  return once(boards, component, Board);
}

class Board {
  constructor(root) {
    this.root = root.appendChild(make("div", "board"));
    this.bar = this.root.appendChild(make("div", "bar"));
    this.all = this.bar.appendChild(make("button", "action", "Play all"));
    this.all.type = "button";
    this.all.addEventListener("click", () => (this.sequence ? this.stop() : this.playAll()));
    this.said = this.bar.appendChild(make("span", "said"));
    this.said.setAttribute("role", "status");
    this.grid = this.root.appendChild(make("div", "grid"));
    this.grid.setAttribute("role", "grid");
    this.grid.addEventListener("click", (event) => this.pressed(event));
    this.grid.addEventListener("focusin", (event) => this.focused(event));
    this.root.addEventListener("keydown", (event) => this.keyIn(event));
    this.keyAnywhere = (event) => this.keyOn(event);
    document.addEventListener("keydown", this.keyAnywhere);
    this.near = new IntersectionObserver((entries) => this.load(entries), { root: this.grid, rootMargin: "200px" });
    this.stop = this.stop.bind(this);
    this.frame = this.frame.bind(this);
    this.row = 0;
    this.column = 0;
  }

  update({ data, setStateValue }) {
    this.report = setStateValue;
    const print = JSON.stringify(data);
    if (print === this.print) return;
    this.print = print;
    this.stop();
    this.classes = data.classes;
    this.seconds = data.seconds;
    this.hint = data.hint;
    this.draw();
  }

  draw() {
    this.rows = Math.max(...this.classes.map((one) => one.names.length));
    this.row = Math.min(this.row, this.rows - 1);
    this.column = Math.min(this.column, this.classes.length - 1);
    this.abreast = this.classes.length <= ABREAST;
    this.tiles = Array.from({ length: this.rows }, () => []);
    this.near.disconnect();
    const heads = this.classes.map((one, column) => this.head(one, column));
    const cells = this.tiles.map((_, row) => this.classes.map((one, column) => this.cell(one, row, column)));
    const lines = this.abreast
      ? [this.line(heads, "row heads"), ...cells.map((some) => this.line(some, "row"))]
      : heads.map((head, column) => this.line([head, ...cells.map((some) => some[column])], "row"));
    this.grid.classList.toggle("stacked", !this.abreast);
    this.grid.style.setProperty("--columns", this.abreast ? this.classes.length : this.rows);
    this.grid.setAttribute("aria-label", this.hint);
    this.grid.replaceChildren(...lines);
    heads.forEach((head) => this.near.observe(head));
    this.tabStop();
  }

  line(parts, className) {
    const line = make("div", className);
    line.setAttribute("role", "row");
    line.append(...parts);
    return line;
  }

  head(one, column) {
    const head = make("div", "head", one.title);
    head.setAttribute("role", this.abreast ? "columnheader" : "rowheader");
    head.title = one.title;
    head.dataset.column = column;
    if (column < 10 && one.title !== String(column)) head.append(make("kbd", "", String(column)));
    return head;
  }

  cell(one, row, column) {
    const cell = make("div", "cell");
    cell.setAttribute("role", "gridcell");
    if (row >= one.names.length) return cell;
    const tile = cell.appendChild(make("button", "tile"));
    tile.type = "button";
    tile.tabIndex = -1;
    tile.dataset.name = one.names[row];
    tile.setAttribute("aria-label", `track ${row + 1} of class ${one.title}`);
    const picture = tile.appendChild(make("span", "picture"));
    // One picture for all tracks of a class, below each other.
    picture.style.backgroundSize = `100% ${100 * one.names.length}%`;
    picture.style.backgroundPositionY = one.names.length > 1 ? `${(100 * row) / (one.names.length - 1)}%` : "0";
    tile.append(make("span", "playhead"));
    const place = { tile, picture, one, row, column };
    if (!one.sound || one.missing.includes(row)) this.mute(place, "no audio");
    else if (one.silent.includes(row)) this.mute(place, "silent");
    this.tiles[row][column] = place;
    return cell;
  }

  // A class is loaded as it comes near: its picture, and its sound so that the first press need not wait for it.
  load(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.near.unobserve(target);
      const one = this.classes[target.dataset.column];
      pictured(one.picture).then(
        () => this.of(one).forEach(({ picture }) => (picture.style.backgroundImage = `url("${one.picture}")`)),
        () => {},
      );
      if (one.sound) decoded(one.sound).catch(() => this.silent(one));
    }
  }

  mute({ tile, row, one }, why) {
    tile.classList.add("mute");
    tile.title = why;
    tile.setAttribute("aria-disabled", "true");
    tile.setAttribute("aria-label", `track ${row + 1} of class ${one.title}, ${why}`);
  }

  silent(one) {
    this.of(one).forEach((place) => this.mute(place, "no audio"));
    this.said.textContent = `The sounds of ${one.title} could not be loaded.`;
  }

  every() {
    return this.classes.flatMap((_, column) => this.tiles.map((row) => row[column]).filter(Boolean));
  }

  of(one) {
    return this.every().filter((place) => place.one === one);
  }

  at(element) {
    const tile = element instanceof Element && element.closest(".tile");
    return tile && this.every().find((place) => place.tile === tile);
  }

  pressed(event) {
    const place = this.at(event.target);
    if (!place) return;
    this.sequence = null;
    if (this.playing?.place === place) this.stop();
    else this.play(place);
  }

  focused(event) {
    const place = this.at(event.target);
    if (!place) return;
    ({ row: this.row, column: this.column } = place);
    this.tabStop();
  }

  // The tab key enters the grid at one tile and leaves it again; arrows go from tile to tile.
  tabStop() {
    const { row, column } = this;
    this.every().forEach((place) => (place.tile.tabIndex = place.row === row && place.column === column ? 0 : -1));
  }

  keyIn(event) {
    if (writes(event)) return;
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const step = steps[event.key];
    if (step && this.at(event.composedPath()[0])) {
      const [rows, columns] = this.abreast ? step : step.toReversed();
      const place = this.tiles[this.row + rows]?.[this.column + columns];
      if (place) place.tile.focus();
      event.preventDefault();
    } else if (event.key === "Escape") {
      this.stop();
    }
  }

  // Digits play wherever the focus is, unless someone writes.
  keyOn(event) {
    const taken = event.composedPath().some((part) => part.dataset?.keys === "digits");
    if (taken || writes(event) || event.repeat || !/^[0-9]$/.test(event.key)) return;
    const place = this.tiles[this.row]?.[Number(event.key)];
    if (!place) return;
    this.sequence = null;
    place.tile.focus({ preventScroll: true });
    this.play(place);
  }

  async playAll() {
    this.sequence = this.every().filter(({ tile }) => !tile.classList.contains("mute"));
    this.next();
  }

  next() {
    const place = this.sequence?.shift();
    if (place) this.play(place);
    else this.stop();
  }

  async play(place) {
    if (place.tile.classList.contains("mute")) return;
    const context = audio();
    this.silence();
    takeTurn(this.stop);
    const asked = (this.asked = place);
    const buffer = await decoded(place.one.sound).catch(() => null);
    if (!buffer || this.asked !== asked) return;
    const source = context.createBufferSource();
    const gain = context.createGain();
    source.buffer = buffer;
    source.connect(gain).connect(context.destination);
    const begin = context.currentTime;
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(1, begin + FADE);
    source.start(begin, place.row * this.seconds, this.seconds);
    source.onended = () => this.playing?.source === source && (this.sequence ? this.next() : this.stop());
    this.playing = { place, source, gain, begin };
    place.tile.classList.add("on");
    place.tile.setAttribute("aria-pressed", "true");
    this.all.textContent = this.sequence ? "Stop" : "Play all";
    this.said.textContent = `Playing track ${place.row + 1} of class ${place.one.title}`;
    this.root.dataset.playing = place.one.names[place.row];
    if (this.sequence) place.tile.scrollIntoView({ block: "nearest", inline: "nearest" });
    else this.report("track", place.one.names[place.row]);
    this.frame();
  }

  frame() {
    if (!this.playing) return;
    const { place, begin } = this.playing;
    const share = Math.min((audio().currentTime - begin) / this.seconds, 1);
    this.root.dataset.position = Math.max(0, share * this.seconds).toFixed(3);
    place.tile.style.setProperty("--played", Math.max(0, share));
    this.drawn = requestAnimationFrame(this.frame);
  }

  silence() {
    cancelAnimationFrame(this.drawn);
    if (!this.playing) return;
    const { place, source, gain } = this.playing;
    this.playing = null;
    const now = audio().currentTime;
    gain.gain.setTargetAtTime(0, now, FADE / 3);
    source.stop(now + 2 * FADE);
    place.tile.classList.remove("on");
    place.tile.removeAttribute("aria-pressed");
  }

  stop() {
    this.asked = this.sequence = null;
    this.silence();
    leaveTurn(this.stop);
    this.all.textContent = "Play all";
    this.said.textContent = "";
    delete this.root.dataset.playing;
  }

  end() {
    this.stop();
    this.near.disconnect();
    document.removeEventListener("keydown", this.keyAnywhere);
    this.root.remove();
  }
}
