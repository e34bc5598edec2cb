// What both components share: one audio context, sounds decoded once, one thing that sounds at a time.

const shared = (globalThis.distrackSound ??= { context: null, decoded: new Map(), stop: null });
// Long enough against clicks, too short to be heard.
const FADE = 0.006;

// Only after a gesture: browsers refuse it before.
function audio() {
  shared.context ??= new AudioContext({ latencyHint: "interactive" });
  if (shared.context.state === "suspended") shared.context.resume();
  return shared.context;
}

// Decoding needs no gesture, so that everything is there when a tile is pressed.
function decoded(url) {
  if (!shared.decoded.has(url)) {
    const sound = fetch(url)
      .then((answer) => {
        if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
        return answer.arrayBuffer();
      })
      .then((bytes) => new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes));
    sound.catch(() => shared.decoded.delete(url));
    shared.decoded.set(url, sound);
  }
  return shared.decoded.get(url);
}

// Whoever begins to sound stops what sounded before.
function takeTurn(stop) {
  if (shared.stop && shared.stop !== stop) shared.stop();
  shared.stop = stop;
}

function leaveTurn(stop) {
  if (shared.stop === stop) shared.stop = null;
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// Keys belong to whoever writes.
function writes(event) {
  const target = event.composedPath()[0];
  const typed = target instanceof HTMLElement && target.closest("input:not([type=range]), textarea, select, [contenteditable=true], [role=combobox], [role=listbox]");
  return Boolean(typed) || event.ctrlKey || event.metaKey || event.altKey;
}

// One instance for each place on the page; a rerun finds it again.
function once(instances, component, Make) {
  const root = component.parentElement;
  let instance = instances.get(root);
  if (!instance) instances.set(root, (instance = new Make(root)));
  instance.update(component);
  return () => {
    instance.end();
    instances.delete(root);
  };
}
