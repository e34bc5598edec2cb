// The player: several sounds on one transport. All run together and one is heard, so that switching keeps the position.

const players = new WeakMap();

export default function (component) {
  return once(players, component, Player);
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
    this.stepsSaid = this.steps.appendChild(make("span", "said"));
    this.slider = this.steps.appendChild(make("input"));
    this.slider.type = "range";
    this.slider.min = 0;
    const bar = this.root.appendChild(make("div", "bar"));
    this.button = this.control(bar, "Play", () => (this.sounding ? this.pause() : this.play()));
    this.again = this.control(bar, "Loop", () => this.loop(!this.looping));
    this.level = this.control(bar, "Match loudness", () => this.match(!this.matched));
    this.time = bar.appendChild(make("span", "time"));
    this.said = bar.appendChild(make("span", "said"));
    this.said.setAttribute("role", "status");
    this.slider.addEventListener("input", () => this.toStep(Number(this.slider.value)));
    this.view.addEventListener("pointerdown", (event) => this.dragged(event));
    this.view.addEventListener("pointermove", (event) => event.buttons && this.dragged(event));
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.pause = this.pause.bind(this);
    this.frame = this.frame.bind(this);
    this.seen = new ResizeObserver(() => this.drawWave());
    this.seen.observe(this.view);
    this.position = 0;
    this.chosen = 0;
    this.step = 0;
    this.match(true);
    this.loop(false);
  }

  control(bar, text, act) {
    const button = bar.appendChild(make("button", "action", text));
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  }

  async update({ data }) {
    const print = JSON.stringify(data);
    if (print === this.print) return;
    const title = this.sources?.[this.chosen]?.title;
    this.print = print;
    this.pause();
    this.position = 0;
    // Those of the track before are not to be heard under this one's name.
    this.buffers = null;
    delete this.root.dataset.ready;
    this.seconds = data.seconds;
    this.view.setAttribute("aria-valuemax", this.seconds);
    this.sources = data.sources;
    this.root.setAttribute("aria-label", data.title);
    this.tabs.replaceChildren(...this.sources.map((source, number) => this.tab(source, number)));
    // Who compares one kind of sound from track to track goes on with it.
    this.choose(Math.max(this.sources.findIndex((source) => source.title === title), 0));
    await this.load();
  }

  tab({ title, note }, number) {
    const tab = make("button", "tab", title);
    tab.type = "button";
    tab.setAttribute("role", "radio");
    tab.title = note;
    tab.prepend(make("kbd", "", String(number + 1)));
    tab.addEventListener("click", () => this.choose(number));
    return tab;
  }

  // Sounds of all sources, an evolution's one after the other; each as long as the longest.
  async load() {
    const { sources, print } = this;
    const loaded = sources.map(({ sounds }) => Promise.all(sounds.map((sound) => this.loadOne(sound))));
    const buffers = await Promise.all(loaded);
    if (this.print !== print) return;
    this.buffers = buffers;
    // As loud as the softest of them can be without clipping.
    const reach = this.buffers.flat().filter((one) => one.buffer && one.loudness !== null);
    this.target = Math.min(-16, ...reach.map(({ loudness, peak }) => loudness - 20 * Math.log10(peak)));
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
    this.nodes = this.buffers.map((some) => some.map((one) => this.start(context, one, begin)));
    this.begin = begin - this.position;
    this.sounding = true;
    this.button.textContent = "Pause";
    this.root.dataset.playing = "true";
    this.blend(0);
    this.frame();
  }

  start(context, one, begin) {
    if (!one.buffer) return null;
    const source = context.createBufferSource();
    const gain = context.createGain();
    source.buffer = this.padded(context, one.buffer);
    source.loop = this.looping;
    source.connect(gain).connect(context.destination);
    gain.gain.value = 0;
    source.start(begin, this.position);
    return { source, gain, one };
  }

  // Equal lengths: what loops stays together.
  padded(context, buffer) {
    const length = Math.round(this.seconds * buffer.sampleRate);
    if (buffer.length === length) return buffer;
    const copy = context.createBuffer(buffer.numberOfChannels, length, buffer.sampleRate);
    channels(buffer).forEach((samples, number) => copy.copyToChannel(samples.subarray(0, length), number));
    return copy;
  }

  // Only the chosen one is heard.
  blend(seconds) {
    if (!this.sounding) return;
    const now = audio().currentTime;
    this.nodes.forEach((some, number) =>
      some.forEach((node, step) => {
        if (!node) return;
        const heard = number === this.chosen && (some.length === 1 || step === this.step);
        const level = heard ? this.gainOf(node.one) : 0;
        node.gain.gain.cancelScheduledValues(now);
        node.gain.gain.setValueAtTime(node.gain.gain.value, now);
        node.gain.gain.linearRampToValueAtTime(level, now + Math.max(seconds, FADE));
        if (heard) this.root.dataset.gain = level.toFixed(4);
      }),
    );
  }

  now() {
    const played = this.sounding ? Math.max(0, audio().currentTime - this.begin) : this.position;
    return this.looping && this.sounding ? played % this.seconds : Math.min(played, this.seconds);
  }

  frame() {
    if (!this.sounding) return;
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
    this.time.textContent = `${position.toFixed(2)} / ${this.seconds.toFixed(2)} s`;
    this.root.dataset.position = position.toFixed(4);
    // Read out where it stands; what runs would be read out without end.
    if (this.sounding) return;
    this.view.setAttribute("aria-valuenow", position.toFixed(2));
    this.view.setAttribute("aria-valuetext", this.time.textContent);
  }

  pause() {
    cancelAnimationFrame(this.drawn);
    leaveTurn(this.pause);
    if (!this.sounding) return;
    this.position = this.now();
    this.sounding = false;
    const now = audio().currentTime;
    this.nodes.flat().forEach((node) => {
      if (!node) return;
      node.gain.gain.cancelScheduledValues(now);
      node.gain.gain.setTargetAtTime(0, now, FADE / 3);
      node.source.stop(now + 2 * FADE);
    });
    this.button.textContent = "Play";
    this.root.dataset.playing = "false";
    this.show();
  }

  seek(position) {
    const sounding = this.sounding;
    this.pause();
    this.position = Math.min(Math.max(position, 0), this.seconds - 0.001);
    if (sounding) this.play();
    this.show();
  }

  dragged(event) {
    const box = this.view.getBoundingClientRect();
    this.seek(((event.clientX - box.left) / box.width) * this.seconds);
  }

  choose(number) {
    if (!this.sources[number]) return;
    this.chosen = number;
    const { sounds, note, title } = this.sources[number];
    [...this.tabs.children].forEach((tab, other) => {
      tab.setAttribute("aria-checked", String(other === number));
      tab.tabIndex = other === number ? 0 : -1;
    });
    this.steps.hidden = sounds.length < 2;
    this.slider.max = sounds.length - 1;
    this.root.dataset.source = title;
    this.said.textContent = note;
    this.toStep(Math.min(this.step, sounds.length - 1));
  }

  toStep(step) {
    this.step = step;
    const { sounds, title } = this.sources[this.chosen];
    const { picture, label } = sounds[step];
    this.slider.value = step;
    this.slider.setAttribute("aria-valuetext", label);
    this.stepsSaid.textContent = label;
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
    await pictured(picture).catch(() => {});
    if (this.drawing === picture) this.picture.src = picture;
  }

  drawWave() {
    const one = this.buffers?.[this.chosen]?.[this.step];
    const { clientWidth: width, clientHeight: height } = this.wave;
    if (!one?.buffer || !width) return;
    const scale = devicePixelRatio;
    this.wave.width = width * scale;
    this.wave.height = height * scale;
    const brush = this.wave.getContext("2d");
    brush.fillStyle = getComputedStyle(this.wave).color;
    const samples = one.buffer.getChannelData(0);
    const each = (this.seconds * one.buffer.sampleRate) / this.wave.width;
    for (let x = 0; x < this.wave.width; x++) {
      let low = 0;
      let high = 0;
      for (let i = Math.floor(x * each); i < Math.min((x + 1) * each, samples.length); i++) {
        low = Math.min(low, samples[i]);
        high = Math.max(high, samples[i]);
      }
      const middle = this.wave.height / 2;
      brush.fillRect(x, middle - (high / one.peak) * middle, 1, Math.max(((high - low) / one.peak) * middle, 1));
    }
  }

  loop(on) {
    const position = this.sounding ? this.now() : 0;
    this.looping = on;
    this.again.setAttribute("aria-pressed", String(on));
    this.root.dataset.loop = String(on);
    if (!this.sounding) return;
    this.begin = audio().currentTime - position;
    this.nodes.flat().forEach((node) => node && (node.source.loop = on));
  }

  match(on) {
    this.matched = on;
    this.level.setAttribute("aria-pressed", String(on));
    this.blend(FADE);
  }

  key(event) {
    if (writes(event)) return;
    const onSlider = event.target === this.slider;
    const acts = {
      " ": () => (this.sounding ? this.pause() : this.play()),
      l: () => this.loop(!this.looping),
      ArrowLeft: () => !onSlider && this.seek(this.now() - 0.1),
      ArrowRight: () => !onSlider && this.seek(this.now() + 0.1),
      Home: () => this.seek(0),
    };
    const act = acts[event.key.toLowerCase()] ?? acts[event.key];
    if (/^[1-6]$/.test(event.key)) this.choose(Number(event.key) - 1);
    else if (!act || (onSlider && event.key.startsWith("Arrow"))) return;
    // A button that has the focus is pressed by the space bar already.
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
