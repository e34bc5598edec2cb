// Renders events in the browser as the engine does, so that a dragged event is heard at once. Kinds: "gabor", "damped"
// and "atoms" (sinusoids under an envelope), "splat" (a decaying resonance and a burst of noise), "siam" (the same, from
// a timbre that a small network decodes) and "waveform".

const TWO_PI = 2 * Math.PI;
// As in the engine: where atoms are cut, in scales; the order of a resonance's rise and its end, in decays.
const REACH = [5, 12];
// A Gaussian begins to be heard so many scales before its middle.
const ONSET = 2;
const RISE_ORDER = 2;
const RESONANCE_END = 9.2;
const TILE = 1024;
const HARMONICS = 4;
const TIMBRE = 10;
// Of what a timbre is decoded to besides harmonics: its range, and the frequency at which the input of the network is 0.
const EXTRA = { damping: [-4, 2], above: [-1, 6], width: [-3, 1], burst: [-4, 1] };
const MIDDLE = 440;
const FADE_SHARE = 0.05;
// Of a burst of noise: time constants until it has ended, peak of the Gaussian envelope, fewest samples.
const BURST_ENDS = { gamma: 12.5, gaussian: 8.3 };
const GAUSSIAN_PEAK = 4;
const SHORTEST_BURST = 64;
// Of a learned waveform that is played at another pitch or length.
const FINER = 16;
const PERIODS = 4;
const GRAINS = 4;
const SAME = 1e-5;

const KINDS = { gabor: addAtom, damped: addAtom, atoms: addAtom, splat: addSplat, siam: addSiam, waveform: addWaveform };

// The sum of some events within the clip: its first sample, and one array for each channel.
// clip: { kind, columns, rate, samples, channels, seed, settings, waveforms, layers }; columns is the place of each column in a row.
function synthesised(clip, rows) {
  const add = KINDS[clip.kind];
  const sounds = rows.map((row) => add(clip, row)).filter((sound) => sound && sound.waves[0].length);
  if (!sounds.length) return { first: 0, waves: Array.from({ length: clip.channels }, () => new Float64Array(1)) };
  return summed(sounds, clip.channels);
}

// The sum of sounds, at least one, each with its first sample and an array for each channel.
function summed(sounds, channels) {
  const first = Math.min(...sounds.map((sound) => sound.first));
  const last = Math.max(...sounds.map((sound) => sound.first + sound.waves[0].length));
  const waves = Array.from({ length: channels }, () => new Float64Array(last - first));
  for (const sound of sounds)
    sound.waves.forEach((wave, channel) => {
      const total = waves[channel];
      const shift = sound.first - first;
      for (let n = 0; n < wave.length; n++) total[shift + n] += wave[n];
    });
  return { first, waves };
}

// A row after an edit: later by `seconds`, higher by `semitones`, longer by `factor`. Its onset stays where it is when it
// is stretched, or moves away from `anchor`. Columns that a kind does not have are passed over.
function changed({ kind, columns }, row, { seconds = 0, semitones = 0, factor = 1, anchor }) {
  const next = [...row];
  const scale = (ratio, ...names) => names.forEach((name) => name in columns && (next[columns[name]] *= ratio));
  scale(2 ** (semitones / 12), "frequency", "centre");
  scale(factor, "scale", "attack", "decay", "burst");
  scale(1 / factor, "damping");
  const gaussian = kind === "gabor" || (kind === "atoms" && row[columns.shape] === 0);
  // The time of a Gaussian is its middle.
  const lead = gaussian ? ONSET * row[columns.scale] : 0;
  const onset = row[columns.time] - lead;
  const moved = anchor === undefined ? onset : anchor + (onset - anchor) * factor;
  next[columns.time] = moved + factor * lead + seconds;
  return next;
}

// The part of a sound that begins at sample `begin` of the clip and lies within the clip, times a gain for each channel.
function within(clip, wave, begin, gains) {
  const first = Math.max(begin, 0);
  const last = Math.max(Math.min(begin + wave.length, clip.samples), first);
  const part = wave.subarray(first - begin, last - begin);
  return { first, waves: gains.map((gain) => part.map((sample) => gain * sample)) };
}

function addAtom({ kind, columns, rate, samples, channels }, row) {
  const [time, scale, frequency] = ["time", "scale", "frequency"].map((name) => row[columns[name]]);
  const shape = kind === "atoms" ? row[columns.shape] : Number(kind === "damped");
  if (frequency >= rate / 2) return null;
  const begin = shape === 0 ? time - REACH[0] * scale : time;
  const first = Math.min(Math.max(Math.ceil(begin * rate), 0), samples);
  const last = Math.max(Math.min(Math.floor((time + REACH[shape] * scale) * rate) + 1, samples), first);
  const names = channels === 2 ? [" right"] : [];
  const waves = ["", ...names].map((side) => {
    const amplitude = row[columns[`amplitude${side}`]];
    const phase = row[columns[`phase${side}`]];
    const wave = new Float64Array(last - first);
    for (let n = 0; n < wave.length; n++) {
      const past = (first + n) / rate - time;
      const away = past / scale;
      const envelope = Math.exp(shape === 0 ? -0.5 * away * away : -away);
      wave[n] = amplitude * envelope * Math.cos(TWO_PI * ((past * frequency) % 1) + phase);
    }
    return wave;
  });
  return { first, waves };
}

function addSplat(clip, row) {
  const value = Object.fromEntries(Object.entries(clip.columns).map(([name, place]) => [name, row[place]]));
  const harmonics = [[1, 0]];
  for (let k = 2; k <= HARMONICS; k++) harmonics.push([value[`cosine ${k}`], value[`sine ${k}`]]);
  return toneAndNoise(clip, value, harmonics, clip.settings.envelope);
}

function addSiam(clip, row) {
  const { columns } = clip;
  const value = Object.fromEntries(Object.entries(columns).map(([name, place]) => [name, row[place]]));
  const { frequency, decay, brightness } = value;
  const timbre = row.slice(columns["timbre 1"], columns["timbre 1"] + TIMBRE);
  const output = networked(clip.layers, [...timbre, Math.log2(frequency / MIDDLE) / 2]);
  const names = Object.keys(EXTRA);
  const count = (output.length - names.length) / 2;
  const extra = Object.fromEntries(
    names.map((name, place) => {
      const [low, high] = EXTRA[name];
      return [name, low + (high - low) / (1 + Math.exp(-output[2 * count + place]))];
    }),
  );
  // The first harmonic has no sine part: the time of the event is its phase.
  const harmonics = Array.from({ length: count }, (_, index) => {
    const tilt = (index + 1) ** brightness;
    return [tilt * output[2 * index], index ? tilt * output[2 * index + 1] : 0];
  });
  const whole = {
    ...value,
    mix: 1 - value.noise,
    damping: Math.exp(extra.damping) / decay,
    bend: 0,
    phase: 0,
    burst: Math.min(Math.max(Math.exp(extra.burst) * decay, 1e-4), 4),
    centre: frequency * 2 ** (extra.above + brightness),
    width: Math.exp(extra.width),
    noise: 0,
  };
  return toneAndNoise(clip, whole, harmonics, "gamma");
}

// What a network makes of some numbers; each layer is { weights, biases }, with tanh between two layers.
function networked(layers, numbers) {
  return layers.reduce((before, { weights, biases }, place) => {
    const next = Array.from(biases, (bias, row) =>
      before.reduce((sum, number, column) => sum + number * weights[row * before.length + column], bias),
    );
    return place < layers.length - 1 ? next.map(Math.tanh) : next;
  }, numbers);
}

function toneAndNoise(clip, value, harmonics, envelope) {
  const angle = ((value.pan + 1) * Math.PI) / 4;
  const gains = clip.channels === 2 ? [Math.cos(angle), Math.sin(angle)] : [1];
  const onset = value.time * clip.rate;
  const tone = resonance(clip, value, harmonics, onset);
  const noise = burst(clip, value, envelope, onset);
  const sounds = [tone, noise].filter(Boolean).map(({ begin, wave }) => within(clip, wave, begin, gains));
  return sounds.length ? summed(sounds, clip.channels) : null;
}

// The harmonics are relative to each other.
function resonance({ rate, samples }, value, relative, onset) {
  const { attack, decay, damping, bend } = value;
  const settling = attack + decay;
  const loudest = attack * Math.log1p((RISE_ORDER * decay) / attack);
  const frequency = value.frequency / (1 - bend * Math.expm1(-loudest / settling));
  const highest = frequency * Math.max(1, 1 + bend);
  const norm = Math.sqrt(relative.reduce((sum, [real, imaginary]) => sum + real * real + imaginary * imaginary, 0));
  const risen = (RISE_ORDER * decay) / (attack + RISE_ORDER * decay);
  const peak = Math.exp(RISE_ORDER * Math.log(risen) + (attack / decay) * Math.log1p(-risen));
  const level = (value.amplitude * value.mix) / norm / peak;
  if (!level) return null;
  const parts = relative.map(([real, imaginary], index) => {
    const k = index + 1;
    const fade = Math.min(Math.max((rate / 2 - k * highest) / ((FADE_SHARE * rate) / 2), 0), 1) * level;
    const [cosine, sine] = [Math.cos(k * value.phase), Math.sin(k * value.phase)];
    return [fade * (real * cosine - imaginary * sine), fade * (real * sine + imaginary * cosine)];
  });
  const omega = (TWO_PI * frequency * (1 + bend)) / rate;
  const swing = TWO_PI * frequency * bend * settling;
  const end = onset + (loudest + RESONANCE_END * decay) * rate;
  const begin = Math.max(Math.ceil(onset), 0);
  // The engine renders whole tiles.
  const last = Math.min((Math.floor(end / TILE) + 1) * TILE, samples);
  const wave = new Float64Array(Math.max(last - begin, 0));
  for (let n = 0; n < wave.length; n++) {
    const past = begin + n - onset;
    const time = past / rate;
    const angle = ((omega * past) % TWO_PI) + swing * Math.expm1(-time / settling);
    const radius = Math.exp(-damping * time);
    let [right, up] = [Math.cos(angle), Math.sin(angle)];
    const [stepRight, stepUp] = [radius * right, radius * up];
    let sum = 0;
    for (const [real, imaginary] of parts) {
      sum += real * right - imaginary * up;
      [right, up] = [right * stepRight - up * stepUp, right * stepUp + up * stepRight];
    }
    const rise = -Math.expm1(-time / attack);
    wave[n] = sum * rise * rise * Math.exp(-time / decay);
  }
  return { begin, wave };
}

function burst({ rate, samples, seed }, value, envelope, onset) {
  const level = value.amplitude * (1 - value.mix);
  const needed = Math.ceil(value.burst * BURST_ENDS[envelope] * rate) + 2;
  if (!(level > 0) || onset >= samples || onset + needed <= 0) return null;
  const longest = Math.max(SHORTEST_BURST, 2 ** Math.ceil(Math.log2(samples)));
  const length = 2 ** Math.ceil(Math.log2(Math.min(Math.max(needed, SHORTEST_BURST), longest)));
  const begin = Math.floor(onset);
  const after = begin - onset;
  const [real, imaginary] = noiseSpectrum(value.noise, seed, length);
  const spread = value.width * Math.LN2;
  const power = ((value.centre * Math.sqrt(Math.PI) * spread) / (rate / 2)) * Math.exp((spread * spread) / 4);
  const scale = level / Math.sqrt(power);
  const [re, im] = [new Float64Array(length), new Float64Array(length)];
  for (let k = 0; k <= length / 2; k++) {
    const frequency = k === 0 ? 1e-3 : (k * rate) / length;
    const octaves = Math.log2(frequency / value.centre) / value.width;
    const gain = scale * Math.exp(-0.5 * octaves * octaves);
    const turn = (TWO_PI * k * after) / length;
    const [cosine, sine] = [gain * Math.cos(turn), gain * Math.sin(turn)];
    re[k] = real[k] * cosine - imaginary[k] * sine;
    im[k] = real[k] * sine + imaginary[k] * cosine;
  }
  const wave = inverseOfHalf(re, im);
  for (let n = 0; n < length; n++) {
    const past = Math.max((n + after) / (rate * value.burst), 0);
    const away = past - GAUSSIAN_PEAK;
    wave[n] *= envelope === "gamma" ? past * Math.exp(1 - past) : past > 0 ? Math.exp(-0.5 * away * away) : 0;
  }
  return { begin, wave };
}

function addWaveform(clip, row) {
  const { columns, rate, channels, waveforms } = clip;
  const { samples, own } = waveforms[row[columns.waveform]];
  const same = (factor) => (Math.abs(factor - 1) < SAME ? 1 : factor);
  const ratio = same(row[columns.frequency] / (own * rate));
  const longer = same(row[columns.scale] / (samples.length / rate));
  if (own * ratio >= 0.5) return null;
  const names = channels === 2 ? ["amplitude", "amplitude right"] : ["amplitude"];
  const gains = names.map((name) => row[columns[name]]);
  const wave = ratio === 1 && longer === 1 ? Float64Array.from(samples) : grains(samples, ratio, longer, own);
  return within(clip, wave, Math.round(row[columns.time] * rate), gains);
}

function grains(samples, ratio, longer, own) {
  const length = Math.max(Math.round(samples.length * longer), 1);
  const fine = finer(samples, 0.5 / ratio);
  const period = 1 / (own * ratio);
  const hop = Math.max(PERIODS * period, Math.min(samples.length / ratio, length) / GRAINS, 2) / 2;
  const [total, weights] = [new Float64Array(length), new Float64Array(length)];
  for (let number = 0; number <= Math.ceil(length / hop); number++) {
    const middle = number * hop;
    const moved = Math.round((middle - middle / longer / ratio) / period) * period;
    const end = Math.min(Math.floor(middle + hop) + 1, length);
    for (let place = Math.max(Math.ceil(middle - hop), 0); place < end; place++) {
      const window = 0.5 + 0.5 * Math.cos(Math.PI * Math.min(Math.max((place - middle) / hop, -1), 1));
      const at = ratio * (place - moved) * FINER;
      const left = Math.floor(at);
      const inside = at >= 0 && at <= fine.length - 1;
      const value = inside ? fine[left] + (at - left) * ((fine[left + 1] ?? 0) - fine[left]) : 0;
      total[place] += window * value;
      weights[place] += window;
    }
  }
  return total.map((sum, place) => sum / Math.max(weights[place], 1e-9));
}

// The waveform at points between its samples, without what lies above `highest`, in cycles per sample.
function finer(samples, highest) {
  const count = 2 ** Math.ceil(Math.log2(2 * samples.length));
  const [real, imaginary] = [new Float64Array(count), new Float64Array(count)];
  real.set(samples);
  transform(real, imaginary);
  const [re, im] = [new Float64Array(FINER * count), new Float64Array(FINER * count)];
  for (let k = 0; k < count / 2 && k / count < highest; k++) [re[k], im[k]] = [FINER * real[k], FINER * imaginary[k]];
  return inverseOfHalf(re, im).subarray(0, samples.length * FINER);
}

const spectra = new Map();

// The spectrum of a white noise, which each drag of a burst needs again.
function noiseSpectrum(number, seed, length) {
  const key = `${number} ${seed} ${length}`;
  if (!spectra.has(key)) {
    if (spectra.size >= 64) spectra.delete(spectra.keys().next().value);
    const [real, imaginary] = [white(number, seed, length), new Float64Array(length)];
    transform(real, imaginary);
    spectra.set(key, [real, imaginary]);
  }
  return spectra.get(key);
}

// White noise of variance 1 from its number and the seed: SplitMix64, as in the engine.
function white(number, seed, length) {
  const wide = (value) => mixed(Number((value >> 32n) & 0xffffffffn), Number(value & 0xffffffffn));
  const joined = ([high, low]) => (BigInt(high) << 32n) | BigInt(low);
  const [high, low] = wide((joined(wide(BigInt(seed))) + BigInt(number)) & 0xffffffffffffffffn);
  const noise = new Float64Array(length);
  let [stepHigh, stepLow] = [high, low];
  for (let n = 0; n < length; n++) {
    const sum = stepLow + 0x7f4a7c15;
    stepHigh = (stepHigh + 0x9e3779b9 + (sum > 0xffffffff ? 1 : 0)) >>> 0;
    stepLow = sum >>> 0;
    const [drawn] = mixed(stepHigh, stepLow);
    noise[n] = Math.fround(((drawn >>> 8) + 0.5) / 2 ** 23 - 1) * Math.fround(Math.sqrt(3));
  }
  return noise;
}

// The mixing of SplitMix64 on the two halves of a number.
function mixed(high, low) {
  low = (low ^ ((low >>> 30) | (high << 2))) >>> 0;
  high = (high ^ (high >>> 30)) >>> 0;
  [high, low] = product(high, low, 0xbf58476d, 0x1ce4e5b9);
  low = (low ^ ((low >>> 27) | (high << 5))) >>> 0;
  high = (high ^ (high >>> 27)) >>> 0;
  [high, low] = product(high, low, 0x94d049bb, 0x133111eb);
  low = (low ^ ((low >>> 31) | (high << 1))) >>> 0;
  return [(high ^ (high >>> 31)) >>> 0, low];
}

// The lower 64 bits of a product of two numbers of 64 bits.
function product(high, low, otherHigh, otherLow) {
  const [a, b, c, d] = [low & 0xffff, low >>> 16, otherLow & 0xffff, otherLow >>> 16];
  const least = a * c;
  const middle = b * c + (least >>> 16);
  const upper = (middle % 65536) + a * d;
  const carry = b * d + Math.floor(middle / 65536) + Math.floor(upper / 65536);
  const top = (carry + Math.imul(high, otherLow) + Math.imul(low, otherHigh)) >>> 0;
  return [top, ((upper % 65536) * 65536 + (least & 0xffff)) >>> 0];
}

// The real signal whose spectrum up to half the sample rate is given; the rest of the arrays is overwritten.
function inverseOfHalf(re, im) {
  const length = re.length;
  im[0] = im[length / 2] = 0;
  for (let k = 1; k < length / 2; k++) [re[length - k], im[length - k]] = [re[k], -im[k]];
  // The inverse transform is the forward one with the parts swapped.
  transform(im, re);
  for (let n = 0; n < length; n++) re[n] /= length;
  return re;
}

// Fast Fourier transform in place (Cooley and Tukey, 1965); the length is a power of two.
function transform(real, imaginary) {
  const length = real.length;
  for (let n = 1, reversed = 0; n < length; n++) {
    let bit = length >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed ^= bit;
    if (n < reversed) {
      [real[n], real[reversed]] = [real[reversed], real[n]];
      [imaginary[n], imaginary[reversed]] = [imaginary[reversed], imaginary[n]];
    }
  }
  for (let size = 2; size <= length; size *= 2) {
    const half = size / 2;
    const [cosine, sine] = [new Float64Array(half), new Float64Array(half)];
    for (let k = 0; k < half; k++) [cosine[k], sine[k]] = [Math.cos((TWO_PI * k) / size), -Math.sin((TWO_PI * k) / size)];
    for (let begin = 0; begin < length; begin += size)
      for (let k = 0; k < half; k++) {
        const [here, there] = [begin + k, begin + k + half];
        const re = real[there] * cosine[k] - imaginary[there] * sine[k];
        const im = real[there] * sine[k] + imaginary[there] * cosine[k];
        real[there] = real[here] - re;
        imaginary[there] = imaginary[here] - im;
        real[here] += re;
        imaginary[here] += im;
      }
  }
}
