// The soundboard: a grid of tiles with a column for each class and a row for each track, or with a row for each class
// when there are many.

const boards = new WeakMap();
// Most classes that fit beside each other.
const MOST_COLUMNS = 12;
// Most rows that are all in view; more are scrolled, in so many pixels.
const MOST_ROWS = 10;
const HEIGHT = 490;

export default function (component) {
  return mounted(boards, component, Board);
}

class Board {
  constructor(root) {
    this.root = root.appendChild(make("div", "board"));
    this.bar = this.root.appendChild(make("div", "bar"));
    this.all = this.bar.appendChild(make("button", "action", "Play all"));
    this.all.addEventListener("click", () => (this.sequence ? this.stop() : this.playAll()));
    this.status = makeStatus(this.bar);
    this.grid = this.root.appendChild(make("div", "grid"));
    this.grid.setAttribute("role", "grid");
    this.grid.addEventListener("click", (event) => this.pressed(event));
    this.grid.addEventListener("focusin", (event) => this.focused(event));
    this.root.addEventListener("keydown", (event) => this.keyInGrid(event));
    this.keyOnPage = this.keyOnPage.bind(this);
    document.addEventListener("keydown", this.keyOnPage);
    this.near = new IntersectionObserver((entries) => this.load(entries), { root: this.grid, rootMargin: "200px" });
    this.stop = this.stop.bind(this);
    this.frame = this.frame.bind(this);
    this.row = 0;
    this.column = 0;
  }

  update({ data, setStateValue }) {
    this.report = setStateValue;
    const json = JSON.stringify(data);
    if (json === this.json) return;
    this.json = json;
    this.stop();
    this.classes = data.classes;
    this.seconds = data.seconds;
    this.keys = data.keys;
    this.draw(data.rows ?? Infinity);
  }

  draw(most) {
    this.classesAcross = this.classes.length <= MOST_COLUMNS;
    const tracks = Math.max(...this.classes.map((sheet) => sheet.names.length));
    this.rows = this.classesAcross ? Math.min(most, tracks) : tracks;
    this.idle = this.rows < tracks ? `${this.rows} of ${tracks} tracks per class` : "";
    this.status.textContent = this.idle;
    this.row = Math.min(this.row, this.rows - 1);
    this.column = Math.min(this.column, this.classes.length - 1);
    this.tiles = Array.from({ length: this.rows }, () => []);
    this.near.disconnect();
    const heads = this.classes.map((sheet, column) => this.head(sheet, column));
    const cells = this.tiles.map((_, row) => this.classes.map((sheet, column) => this.cell(sheet, row, column)));
    const lines = this.classesAcross
      ? [this.line(heads, "row heads"), ...cells.map((row) => this.line(row, "row"))]
      : heads.map((head, column) => this.line([head, ...cells.map((row) => row[column])], "row"));
    const whole = this.classesAcross && this.rows <= MOST_ROWS;
    this.grid.classList.toggle("whole", whole);
    this.grid.style.maxHeight = whole ? "" : Number.isFinite(most) ? `calc(${most} * (var(--tile) + 10px))` : `${HEIGHT}px`;
    this.grid.style.setProperty("--rows", this.rows);
    this.grid.classList.toggle("stacked", !this.classesAcross);
    this.grid.style.setProperty("--columns", this.classesAcross ? this.classes.length : this.rows);
    this.grid.setAttribute("aria-label", this.keys);
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

  head(sheet, column) {
    const head = make("div", "head", sheet.title);
    head.setAttribute("role", this.classesAcross ? "columnheader" : "rowheader");
    head.title = sheet.title;
    head.dataset.column = column;
    if (column < 10 && sheet.title !== String(column)) head.append(make("kbd", "", String(column)));
    return head;
  }

  cell(sheet, row, column) {
    const cell = make("div", "cell");
    cell.setAttribute("role", "gridcell");
    if (row >= sheet.names.length) return cell;
    const tile = cell.appendChild(make("button", "tile"));
    tile.tabIndex = -1;
    tile.dataset.name = sheet.names[row];
    tile.setAttribute("aria-label", `track ${row + 1} of class ${sheet.title}`);
    const picture = tile.appendChild(make("span", "picture"));
    // The picture of a class shows all its tracks below each other.
    picture.style.backgroundSize = `100% ${100 * sheet.names.length}%`;
    picture.style.backgroundPositionY = sheet.names.length > 1 ? `${(100 * row) / (sheet.names.length - 1)}%` : "0";
    tile.append(make("span", "playhead"));
    const place = { tile, picture, sheet, row, column };
    if (!sheet.sound || sheet.missing.includes(row)) this.mute(place, "no audio");
    else if (sheet.silent.includes(row)) this.mute(place, "silent");
    this.tiles[row][column] = place;
    return cell;
  }

  // Loads the picture and the sound of a class when it is scrolled near, so that the first press plays at once.
  load(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.near.unobserve(target);
      const sheet = this.classes[target.dataset.column];
      loadedImage(sheet.picture).then(
        () => this.placesOf(sheet).forEach((place) => (place.picture.style.backgroundImage = `url("${sheet.picture}")`)),
        () => {},
      );
      if (sheet.sound) decoded(sheet.sound).catch(() => this.markUnavailable(sheet));
    }
  }

  mute({ tile, row, sheet }, why) {
    tile.classList.add("mute");
    tile.title = why;
    tile.setAttribute("aria-disabled", "true");
    tile.setAttribute("aria-label", `track ${row + 1} of class ${sheet.title}, ${why}`);
  }

  markUnavailable(sheet) {
    this.placesOf(sheet).forEach((place) => this.mute(place, "no audio"));
    this.status.textContent = `The audio of ${sheet.title} could not be loaded.`;
  }

  places() {
    return this.classes.flatMap((_, column) => this.tiles.map((row) => row[column]).filter(Boolean));
  }

  placesOf(sheet) {
    return this.places().filter((place) => place.sheet === sheet);
  }

  at(element) {
    const tile = element instanceof Element && element.closest(".tile");
    return tile && this.places().find((place) => place.tile === tile);
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

  // The Tab key enters the grid at one tile and leaves it again; arrow keys move from tile to tile.
  tabStop() {
    const { row, column } = this;
    this.places().forEach((place) => (place.tile.tabIndex = place.row === row && place.column === column ? 0 : -1));
  }

  keyInGrid(event) {
    if (isTyping(event)) return;
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const step = steps[event.key];
    if (step && this.at(event.composedPath()[0])) {
      const [rows, columns] = this.classesAcross ? step : step.toReversed();
      const place = this.tiles[this.row + rows]?.[this.column + columns];
      if (place) place.tile.focus();
      event.preventDefault();
    } else if (event.key === "Escape") {
      this.stop();
    }
  }

  // Digits play a class wherever the focus is, unless the user types text.
  keyOnPage(event) {
    const taken = event.composedPath().some((part) => part.dataset?.keys === "digits");
    if (taken || isTyping(event) || event.repeat || !/^[0-9]$/.test(event.key)) return;
    const place = this.tiles[this.row]?.[Number(event.key)];
    if (!place) return;
    this.sequence = null;
    place.tile.focus({ preventScroll: true });
    this.play(place);
  }

  async playAll() {
    this.sequence = this.places().filter(({ tile }) => !tile.classList.contains("mute"));
    this.next();
  }

  next() {
    const place = this.sequence?.shift();
    if (place) this.play(place);
    else this.stop();
  }

  async play(place) {
    if (place.tile.classList.contains("mute")) return;
    // Within the gesture: the sound may be decoded after it.
    audio();
    this.silence();
    takeTurn(this.stop);
    const wanted = (this.wanted = place);
    const buffer = await decoded(place.sheet.sound).catch(() => null);
    if (!buffer || this.wanted !== wanted) return;
    const sound = fadedIn(buffer, place.row * this.seconds, this.seconds);
    const { source } = sound;
    source.onended = () => this.playing?.source === source && (this.sequence ? this.next() : this.stop());
    this.playing = { place, ...sound };
    place.tile.classList.add("on");
    place.tile.setAttribute("aria-pressed", "true");
    this.all.textContent = this.sequence ? "Stop" : "Play all";
    this.status.textContent = `Playing track ${place.row + 1} of class ${place.sheet.title}`;
    this.root.dataset.playing = place.sheet.names[place.row];
    if (this.sequence) place.tile.scrollIntoView({ block: "nearest", inline: "nearest" });
    else this.report("track", place.sheet.names[place.row]);
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
    const { place } = this.playing;
    fadeOut(this.playing);
    this.playing = null;
    place.tile.classList.remove("on");
    place.tile.removeAttribute("aria-pressed");
  }

  stop() {
    this.wanted = this.sequence = null;
    this.silence();
    leaveTurn(this.stop);
    this.all.textContent = "Play all";
    this.status.textContent = this.idle ?? "";
    delete this.root.dataset.playing;
  }

  end() {
    this.stop();
    this.near.disconnect();
    document.removeEventListener("keydown", this.keyOnPage);
    this.root.remove();
  }
}
