// Shared by all components that play: one audio context, a cache of decoded sounds, one sound at a time.

// instances: how many components are on the page.
const shared = (globalThis.distrackSound ??= { context: null, decoded: new Map(), stop: null, instances: 0 });
// Seconds: long enough to avoid clicks, too short to be heard.
const FADE = 0.006;
// Sample rate of the context and of all decoded sounds. An audio source that has to change the rate interpolates
// linearly, which adds audible aliases.
const RATE = 48000;
// Samples in the cache, which drops the sounds that were not used for the longest time: five minutes, 58 MB.
const CACHED = 300 * RATE;

// Call it only after a gesture of the user: browsers refuse to start an audio context before.
function audio() {
  shared.context ??= new AudioContext({ latencyHint: "interactive", sampleRate: RATE });
  if (shared.context.state === "suspended") shared.context.resume();
  return shared.context;
}

// Decoding needs no gesture, so sounds can be ready before a tile is pressed.
function decoded(url) {
  const entry = shared.decoded.get(url) ?? { sound: decode(url), length: 0 };
  // The map is in the order of last use.
  shared.decoded.delete(url);
  shared.decoded.set(url, entry);
  entry.sound.then(
    (buffer) => {
      entry.length = buffer.length;
      trimCache();
    },
    () => shared.decoded.delete(url),
  );
  return entry.sound;
}

async function decode(url) {
  return new OfflineAudioContext(1, 1, RATE).decodeAudioData(await fetched(url));
}

function fetched(url) {
  return retried(async () => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP ${response.status} for ${url}`);
    return response.arrayBuffer();
  });
}

// Resolves when the image can be shown without a delay.
function loadedImage(url) {
  return retried(() => {
    const image = new Image();
    image.src = url;
    return image.decode();
  });
}

// Repeats a request that fails: when a rerun is interrupted, Streamlit drops its files until the next rerun serves them
// again. When the user has left the page nobody needs the file, and it would never come back.
async function retried(request) {
  for (const wait of [300, 1500, 4000]) {
    try {
      return await request();
    } catch (error) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!shared.instances) throw error;
    }
  }
  return request();
}

function channels(buffer) {
  return Array.from({ length: buffer?.numberOfChannels ?? 0 }, (_, number) => buffer.getChannelData(number));
}

function trimCache() {
  let samples = 0;
  for (const [url, { length }] of [...shared.decoded].reverse()) {
    if (samples && samples + length > CACHED) shared.decoded.delete(url);
    else samples += length;
  }
}

// A component that starts to play stops the one that plays.
function takeTurn(stop) {
  if (shared.stop && shared.stop !== stop) shared.stop();
  shared.stop = stop;
}

function leaveTurn(stop) {
  if (shared.stop === stop) shared.stop = null;
}

// Starts a sound without a click, from a second on and for so many seconds if these are given.
function fadedIn(buffer, ...part) {
  const context = audio();
  const source = context.createBufferSource();
  const gain = context.createGain();
  source.buffer = buffer;
  source.connect(gain).connect(context.destination);
  const begin = context.currentTime;
  gain.gain.setValueAtTime(0, begin);
  gain.gain.linearRampToValueAtTime(1, begin + FADE);
  source.start(begin, ...part);
  return { source, gain, begin };
}

// Ends a sound without a click.
function fadeOut({ source, gain }) {
  const now = audio().currentTime;
  gain.gain.setTargetAtTime(0, now, FADE / 3);
  source.stop(now + 2 * FADE);
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  if (tag === "button") element.type = "button";
  return element;
}

// A line of text that screen readers speak when it changes.
function makeStatus(parent) {
  const status = parent.appendChild(make("span", "status"));
  status.setAttribute("role", "status");
  return status;
}

// Whether a key press is text for a field, or a shortcut of the browser.
function isTyping(event) {
  const target = event.composedPath()[0];
  const fields = "input:not([type=range]), textarea, select, [contenteditable=true], [role=combobox], [role=listbox]";
  const inField = target instanceof HTMLElement && target.closest(fields);
  return Boolean(inField) || event.ctrlKey || event.metaKey || event.altKey;
}

// The instance of a component at one place of the page, kept from rerun to rerun.
function mounted(instances, component, Component) {
  const root = component.parentElement;
  let instance = instances.get(root);
  if (!instance) {
    instances.set(root, (instance = new Component(root)));
    shared.instances += 1;
  }
  instance.update(component);
  return () => {
    // Streamlit also calls this when newer data replaces older data; the component then stays on the page.
    if (root.isConnected || !instances.has(root)) return;
    instance.end();
    instances.delete(root);
    shared.instances -= 1;
  };
}
