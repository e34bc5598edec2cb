// The pads of a blind test: each plays a sound by mouse or key. The answers wait until all sounds were heard.

const padsOnPage = new WeakMap();
// Seconds after which a sound counts as heard; a shorter one has to end.
const HEARD = 1;

export default function (component) {
  return mounted(padsOnPage, component, Pads);
}

class Pads {
  constructor(root) {
    this.root = root.appendChild(make("section", "test"));
    this.question = this.root.appendChild(make("h2", "question"));
    this.row = this.root.appendChild(make("div", "pads"));
    this.answers = this.root.appendChild(make("div", "answers"));
    const bar = this.root.appendChild(make("div", "bar"));
    this.toggle = bar.appendChild(make("button", "action", "Tell me after each answer"));
    this.toggle.addEventListener("click", () => this.tell(!shared.tellsAnswers));
    this.status = makeStatus(bar);
    this.stop = this.stop.bind(this);
    this.frame = this.frame.bind(this);
    this.key = this.key.bind(this);
    // Before the keys of presentation mode, where B blanks the screen.
    document.addEventListener("keydown", this.key, true);
    this.tell(Boolean(shared.tellsAnswers));
  }

  update({ data, setStateValue }) {
    this.report = setStateValue;
    const json = JSON.stringify(data);
    // An answer that could not be stored is given again.
    if (json === this.json) {
      if (!this.given) this.open();
      return;
    }
    this.json = json;
    this.stop();
    Object.assign(this, { number: data.number, choices: data.choices, right: data.right, given: false, last: 0 });
    this.question.textContent = data.question;
    this.root.setAttribute("aria-label", data.question);
    const hadFocus = this.root.contains(this.root.getRootNode().activeElement);
    this.sounds = data.sounds.map((url, number) => this.pad(url, number, data.sounds.length));
    this.row.replaceChildren(...this.sounds.map((sound) => sound.pad));
    // Two sounds are answered by 1 and 2; a class by its own digit, as on the soundboard.
    this.firstDigit = this.sounds.length > 1 ? 1 : 0;
    this.answers.replaceChildren(...this.choices.map((text, choice) => this.choice(text, choice)));
    this.root.dataset.number = this.number;
    this.open();
    if (hadFocus) this.sounds[0].pad.focus();
  }

  pad(url, number, count) {
    const pad = make("button", "pad");
    const name = count > 1 ? "ABCDEF"[number] : "Play";
    pad.setAttribute("aria-label", count > 1 ? `Play ${name}` : name);
    pad.append(make("span", "played"), make("span", "letter", name), make("span", "heard", ""));
    pad.addEventListener("click", () => (this.playing?.sound.pad === pad ? this.stop() : this.play(number)));
    decoded(url).catch(() => {});
    return { url, pad, name, heard: false };
  }

  choice(text, choice) {
    const button = make("button", "action answer", text);
    const digit = String(choice + this.firstDigit);
    if (digit.length === 1 && digit !== text) button.prepend(make("kbd", "", digit));
    button.addEventListener("click", () => this.answer(choice));
    return button;
  }

  // Answers are possible once all sounds were heard.
  open() {
    const waits = this.sounds.some((sound) => !sound.heard);
    const several = this.sounds.length > 1;
    for (const button of this.answers.children) button.disabled = waits;
    const keys = several ? "A and B play, Space stops, 1 and 2 answer." : "Space plays, digits answer.";
    this.status.textContent = !waits ? keys : several ? "Listen to both, then answer." : "Listen, then answer.";
    this.root.dataset.open = String(!waits);
  }

  hear(sound) {
    if (sound.heard) return;
    sound.heard = true;
    sound.pad.querySelector(".heard").textContent = "heard";
    if (!this.given) this.open();
  }

  tell(on) {
    shared.tellsAnswers = on;
    this.toggle.setAttribute("aria-pressed", String(on));
  }

  answer(choice) {
    if (this.given || this.sounds.some((sound) => !sound.heard)) return;
    this.stop();
    this.given = shared.tellsAnswers;
    if (this.given) this.verdict(choice);
    else this.send(choice);
  }

  send(choice) {
    this.given = false;
    for (const button of this.answers.children) button.disabled = true;
    this.report("answer", { number: this.number, choice });
  }

  verdict(choice) {
    const isRight = choice === this.right;
    const text = isRight ? "Right." : `Wrong. The answer: ${this.choices[this.right]}.`;
    const verdict = make("strong", isRight ? "verdict right" : "verdict wrong", text);
    verdict.setAttribute("role", "status");
    const next = make("button", "action answer", "Next");
    next.addEventListener("click", () => this.send(choice));
    this.answers.replaceChildren(verdict, next);
    next.focus();
  }

  async play(number) {
    this.silence();
    // Within the gesture: the sound may be decoded after it.
    audio();
    takeTurn(this.stop);
    const sound = this.sounds[number];
    this.last = number;
    this.wanted = sound;
    const buffer = await decoded(sound.url).catch(() => null);
    if (this.wanted !== sound) return;
    if (!buffer) {
      this.status.textContent = "The sound could not be loaded. Reload the page.";
      return;
    }
    const playing = fadedIn(buffer);
    const { source } = playing;
    source.onended = () => {
      if (this.playing?.source !== source) return;
      this.hear(sound);
      this.stop();
    };
    this.playing = { sound, ...playing };
    sound.pad.classList.add("on");
    sound.pad.setAttribute("aria-pressed", "true");
    this.root.dataset.playing = sound.name;
    this.frame();
  }

  frame() {
    if (!this.playing) return;
    const { sound, source, begin } = this.playing;
    const seconds = Math.max(audio().currentTime - begin, 0);
    sound.pad.style.setProperty("--played", Math.min(seconds / source.buffer.duration, 1));
    if (seconds >= HEARD) this.hear(sound);
    this.drawn = requestAnimationFrame(this.frame);
  }

  silence() {
    cancelAnimationFrame(this.drawn);
    this.wanted = null;
    if (!this.playing) return;
    const { sound } = this.playing;
    fadeOut(this.playing);
    this.playing = null;
    sound.pad.classList.remove("on");
    sound.pad.removeAttribute("aria-pressed");
    delete this.root.dataset.playing;
  }

  stop() {
    this.silence();
    leaveTurn(this.stop);
  }

  key(event) {
    const blanked = document.querySelector("[data-blank]:not([hidden])");
    if (isTyping(event) || event.repeat || blanked) return;
    const pad = "ab".indexOf(event.key.toLowerCase());
    const onButton = event.composedPath()[0].closest?.("button, a, summary, [role=radio], [role=slider]");
    if (pad in this.sounds) this.play(pad);
    else if (event.key === " " && !onButton) this.playing ? this.stop() : this.play(this.unheard());
    else if (/^\d$/.test(event.key) && event.key - this.firstDigit in this.choices) this.answer(event.key - this.firstDigit);
    else return;
    event.preventDefault();
  }

  // The first sound that was not heard yet; the last one that was played when all were.
  unheard() {
    const waiting = this.sounds.findIndex((sound) => !sound.heard);
    return waiting < 0 ? this.last : waiting;
  }

  end() {
    this.stop();
    document.removeEventListener("keydown", this.key, true);
    this.root.remove();
  }
}
