// What both components share: one audio context, sounds decoded once, one thing that sounds at a time.

const shared = (globalThis.distrackSound ??= { context: null, decoded: new Map(), stop: null });
// Long enough against clicks, too short to be heard.
const FADE = 0.006;
// Of the context and of all that is decoded: a source that has to change the rate draws straight lines between samples,
// which is heard as tones that are not there.
const RATE = 48000;
// Samples of decoded sounds that are kept, the last used ones: five minutes, 58 MB.
const KEPT = 300 * RATE;

// Only after a gesture: browsers refuse it before.
function audio() {
  shared.context ??= new AudioContext({ latencyHint: "interactive", sampleRate: RATE });
  if (shared.context.state === "suspended") shared.context.resume();
  return shared.context;
}

// Decoding needs no gesture, so that everything is there when a tile is pressed.
function decoded(url) {
  const entry = shared.decoded.get(url) ?? { sound: decode(url), length: 0 };
  // What was used last is the last to be let go.
  shared.decoded.delete(url);
  shared.decoded.set(url, entry);
  entry.sound.then(
    (buffer) => {
      entry.length = buffer.length;
      forget();
    },
    () => shared.decoded.delete(url),
  );
  return entry.sound;
}

async function decode(url) {
  return new OfflineAudioContext(1, 1, RATE).decodeAudioData(await fetched(url));
}

function fetched(url) {
  return patiently(async () => {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`nothing at ${url}`);
    return answer.arrayBuffer();
  });
}

// Until it can be shown at once.
function pictured(url) {
  return patiently(() => {
    const image = new Image();
    image.src = url;
    return image.decode();
  });
}

// A rerun that was cut short lets go of its files until the one after it names them again.
async function patiently(get) {
  for (const wait of [300, 1500, 4000]) {
    try {
      return await get();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  return get();
}

function channels(buffer) {
  return Array.from({ length: buffer?.numberOfChannels ?? 0 }, (_, number) => buffer.getChannelData(number));
}

function forget() {
  let kept = 0;
  for (const [url, { length }] of [...shared.decoded].reverse()) {
    if (kept && kept + length > KEPT) shared.decoded.delete(url);
    else kept += length;
  }
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
  const fields = "input:not([type=range]), textarea, select, [contenteditable=true], [role=combobox], [role=listbox]";
  const typed = target instanceof HTMLElement && target.closest(fields);
  return Boolean(typed) || event.ctrlKey || event.metaKey || event.altKey;
}

// One instance for each place on the page; a rerun finds it again.
function once(instances, component, Make) {
  const root = component.parentElement;
  let instance = instances.get(root);
  if (!instance) instances.set(root, (instance = new Make(root)));
  instance.update(component);
  return () => {
    // Streamlit also calls this for data that newer data overtook: then the place is still on the page, and sounds on.
    if (root.isConnected) return;
    instance.end();
    instances.delete(root);
  };
}
