// The player: several sounds on one transport. All play together and all but one are muted, so a switch keeps the
// position.

const players = new WeakMap();

export default function (component) {
  return mounted(players, component, Player);
}

class Player {
  constructor(root) {
    this.root = root.appendChild(make("section", "player"));
    this.root.dataset.keys = "digits";
    this.root.tabIndex = 0;
    this.tabs = this.root.appendChild(make("div", "tabs"));
    this.tabs.setAttribute("role", "radiogroup");
    this.tabs.setAttribute("aria-label", "Source");
    this.view = this.root.appendChild(make("div", "view"));
    this.view.tabIndex = 0;
    this.view.setAttribute("role", "slider");
    this.view.setAttribute("aria-label", "Playback position");
    this.view.setAttribute("aria-valuemin", "0");
    this.picture = this.view.appendChild(make("img", "picture"));
    this.wave = this.view.appendChild(make("canvas", "wave"));
    this.head = this.view.appendChild(make("span", "playhead"));
    this.steps = this.root.appendChild(make("label", "steps"));
    this.stepLabel = this.steps.appendChild(make("span", "status"));
    this.slider = this.steps.appendChild(make("input"));
    this.slider.type = "range";
    this.slider.min = 0;
    const bar = this.root.appendChild(make("div", "bar"));
    this.button = this.control(bar, "Play", () => (this.playing ? this.pause() : this.play()));
    this.again = this.control(bar, "Loop", () => this.loop(!this.looping));
    this.level = this.control(bar, "Match loudness", () => this.match(!this.matched));
    this.time = bar.appendChild(make("span", "time"));
    this.status = makeStatus(bar);
    this.slider.addEventListener("input", () => this.toStep(Number(this.slider.value)));
    this.view.addEventListener("pointerdown", (event) => this.dragged(event));
    this.view.addEventListener("pointermove", (event) => event.buttons && this.dragged(event));
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.pause = this.pause.bind(this);
    this.frame = this.frame.bind(this);
    this.seen = new ResizeObserver(() => this.drawWave());
    this.seen.observe(this.view);
    this.position = 0;
    this.selected = 0;
    this.step = 0;
    this.match(true);
    this.loop(false);
  }

  control(bar, text, act) {
    const button = bar.appendChild(make("button", "action", text));
    button.addEventListener("click", act);
    return button;
  }

  async update({ data }) {
    const json = JSON.stringify(data);
    if (json === this.json) return;
    // A source in front is selected when it is new. Otherwise the selected one stays selected, also from track to track
    // and from one section of a clip to another.
    const front = (sources) => JSON.stringify(sources?.find((source) => source.title === data.front));
    const isNew = data.begin === (this.begun ?? data.begin) && front(data.sources) !== front(this.sources);
    const title = isNew ? data.front : this.sources?.[this.selected]?.title;
    this.json = json;
    this.pause();
    this.position = 0;
    // Sounds of the previous track must not play under this track's name.
    this.buffers = null;
    delete this.root.dataset.ready;
    this.seconds = data.seconds;
    this.begun = data.begin;
    this.view.setAttribute("aria-valuemax", this.seconds);
    this.sources = data.sources;
    this.title = data.title;
    this.root.setAttribute("aria-label", data.title);
    this.tabs.replaceChildren(...this.sources.map((source, number) => this.tab(source, number)));
    this.select(Math.max(this.sources.findIndex((source) => source.title === title), 0));
    await this.load();
  }

  tab({ title, note }, number) {
    const tab = make("button", "tab", title);
    tab.setAttribute("role", "radio");
    tab.title = note;
    tab.prepend(make("kbd", "", String(number + 1)));
    tab.addEventListener("click", () => this.select(number));
    return tab;
  }

  // Decodes the sounds of all sources.
  async load() {
    const { sources, json } = this;
    const loaded = sources.map(({ sounds }) => Promise.all(sounds.map((sound) => this.loadOne(sound))));
    const buffers = await Promise.all(loaded);
    if (this.json !== json) return;
    this.buffers = buffers;
    // LUFS: as loud as the softest sound can be played without clipping.
    const audible = this.buffers.flat().filter(({ buffer, loudness }) => buffer && loudness !== null);
    this.target = Math.min(-16, ...audible.map(({ loudness, peak }) => loudness - 20 * Math.log10(peak)));
    this.drawWave();
    this.root.dataset.ready = "true";
  }

  async loadOne({ url, loudness }) {
    const buffer = await decoded(url).catch(() => null);
    let peak = 1e-6;
    for (const samples of channels(buffer)) for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    return { buffer, loudness, peak };
  }

  gainOf({ loudness }) {
    return this.matched && loudness !== null ? 10 ** ((this.target - loudness) / 20) : 1;
  }

  play() {
    if (!this.buffers) return;
    const context = audio();
    takeTurn(this.pause);
    if (this.position >= this.seconds) this.position = 0;
    const begin = context.currentTime + 0.01;
    this.nodes = this.buffers.map((sounds) => sounds.map((sound) => this.start(context, sound, begin)));
    this.begin = begin - this.position;
    this.playing = true;
    this.button.textContent = "Pause";
    this.root.dataset.playing = "true";
    this.blend(0);
    this.frame();
  }

  start(context, sound, begin) {
    if (!sound.buffer) return null;
    const source = context.createBufferSource();
    const gain = context.createGain();
    source.buffer = this.padded(context, sound.buffer);
    source.loop = this.looping;
    source.connect(gain).connect(context.destination);
    gain.gain.value = 0;
    source.start(begin, this.position);
    return { source, gain, sound };
  }

  // All loops have the same length, so they stay together.
  padded(context, buffer) {
    const length = Math.round(this.seconds * buffer.sampleRate);
    if (buffer.length === length) return buffer;
    const copy = context.createBuffer(buffer.numberOfChannels, length, buffer.sampleRate);
    channels(buffer).forEach((samples, number) => copy.copyToChannel(samples.subarray(0, length), number));
    return copy;
  }

  // Fades to the selected sound; all others are muted.
  blend(seconds) {
    if (!this.playing) return;
    const now = audio().currentTime;
    this.nodes.forEach((nodes, number) =>
      nodes.forEach((node, step) => {
        if (!node) return;
        const audible = number === this.selected && (nodes.length === 1 || step === this.step);
        const level = audible ? this.gainOf(node.sound) : 0;
        node.gain.gain.cancelScheduledValues(now);
        node.gain.gain.setValueAtTime(node.gain.gain.value, now);
        node.gain.gain.linearRampToValueAtTime(level, now + Math.max(seconds, FADE));
        if (audible) this.root.dataset.gain = level.toFixed(4);
      }),
    );
  }

  now() {
    const played = this.playing ? Math.max(0, audio().currentTime - this.begin) : this.position;
    return this.looping && this.playing ? played % this.seconds : Math.min(played, this.seconds);
  }

  frame() {
    if (!this.playing) return;
    this.show();
    if (!this.looping && this.now() >= this.seconds) {
      this.pause();
      this.position = 0;
      this.show();
      return;
    }
    this.drawn = requestAnimationFrame(this.frame);
  }

  show() {
    const position = this.now();
    this.head.style.insetInlineStart = `${(100 * position) / this.seconds}%`;
    const [here, end] = [position, this.seconds].map((time) => (this.begun + time).toFixed(2));
    this.time.textContent = `${here} / ${end} s`;
    this.root.dataset.position = position.toFixed(4);
    const detail = { title: this.title, position };
    document.dispatchEvent(new CustomEvent("distrack-position", { detail }));
    // A screen reader reads the position out when it stands still; while it moves that would never end.
    if (this.playing) return;
    this.view.setAttribute("aria-valuenow", position.toFixed(2));
    this.view.setAttribute("aria-valuetext", this.time.textContent);
  }

  pause() {
    cancelAnimationFrame(this.drawn);
    leaveTurn(this.pause);
    if (!this.playing) return;
    this.position = this.now();
    this.playing = false;
    const now = audio().currentTime;
    this.nodes.flat().forEach((node) => {
      if (!node) return;
      node.gain.gain.cancelScheduledValues(now);
      fadeOut(node);
    });
    this.button.textContent = "Play";
    this.root.dataset.playing = "false";
    this.show();
  }

  seek(position) {
    const playing = this.playing;
    this.pause();
    this.position = Math.min(Math.max(position, 0), this.seconds - 0.001);
    if (playing) this.play();
    this.show();
  }

  dragged(event) {
    const box = this.view.getBoundingClientRect();
    this.seek(((event.clientX - box.left) / box.width) * this.seconds);
  }

  select(number) {
    if (!this.sources[number]) return;
    this.selected = number;
    const { sounds, note, title } = this.sources[number];
    [...this.tabs.children].forEach((tab, other) => {
      tab.setAttribute("aria-checked", String(other === number));
      tab.tabIndex = other === number ? 0 : -1;
    });
    this.steps.hidden = sounds.length < 2;
    this.slider.max = sounds.length - 1;
    this.root.dataset.source = title;
    this.status.textContent = note;
    this.toStep(Math.min(this.step, sounds.length - 1));
  }

  toStep(step) {
    this.step = step;
    const { sounds, title } = this.sources[this.selected];
    const { picture, label } = sounds[step];
    this.slider.value = step;
    this.slider.setAttribute("aria-valuetext", label);
    this.stepLabel.textContent = label;
    this.picture.hidden = !picture;
    this.picture.alt = `${title} ${label}`.trim();
    if (picture) this.draw(picture);
    this.root.dataset.step = label;
    this.blend(FADE);
    this.drawWave();
    this.show();
  }

  async draw(picture) {
    this.drawing = picture;
    await loadedImage(picture).catch(() => {});
    if (this.drawing === picture) this.picture.src = picture;
  }

  drawWave() {
    const sound = this.buffers?.[this.selected]?.[this.step];
    const { clientWidth: width, clientHeight: height } = this.wave;
    if (!sound?.buffer || !width) return;
    const scale = devicePixelRatio;
    this.wave.width = width * scale;
    this.wave.height = height * scale;
    const brush = this.wave.getContext("2d");
    brush.fillStyle = getComputedStyle(this.wave).color;
    const samples = sound.buffer.getChannelData(0);
    const each = (this.seconds * sound.buffer.sampleRate) / this.wave.width;
    for (let x = 0; x < this.wave.width; x++) {
      let low = 0;
      let high = 0;
      for (let i = Math.floor(x * each); i < Math.min((x + 1) * each, samples.length); i++) {
        low = Math.min(low, samples[i]);
        high = Math.max(high, samples[i]);
      }
      const middle = this.wave.height / 2;
      brush.fillRect(x, middle - (high / sound.peak) * middle, 1, Math.max(((high - low) / sound.peak) * middle, 1));
    }
  }

  loop(on) {
    const position = this.playing ? this.now() : 0;
    this.looping = on;
    this.again.setAttribute("aria-pressed", String(on));
    this.root.dataset.loop = String(on);
    if (!this.playing) return;
    this.begin = audio().currentTime - position;
    this.nodes.flat().forEach((node) => node && (node.source.loop = on));
  }

  match(on) {
    this.matched = on;
    this.level.setAttribute("aria-pressed", String(on));
    this.blend(FADE);
  }

  key(event) {
    if (isTyping(event)) return;
    const onSlider = event.target === this.slider;
    const acts = {
      " ": () => (this.playing ? this.pause() : this.play()),
      l: () => this.loop(!this.looping),
      ArrowLeft: () => !onSlider && this.seek(this.now() - 0.1),
      ArrowRight: () => !onSlider && this.seek(this.now() + 0.1),
      Home: () => this.seek(0),
    };
    const act = acts[event.key.toLowerCase()] ?? acts[event.key];
    if (/^[1-6]$/.test(event.key)) this.select(Number(event.key) - 1);
    else if (!act || (onSlider && event.key.startsWith("Arrow"))) return;
    // The space bar already presses the button that has the focus.
    else if (event.key === " " && event.target instanceof HTMLButtonElement) return;
    else act();
    event.preventDefault();
  }

  end() {
    this.pause();
    this.seen.disconnect();
    this.root.remove();
  }
}
