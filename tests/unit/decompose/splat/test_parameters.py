"""Splats are the sound that their numbers say: against a slow rendering of the formulas, and against physics."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distrack.decompose import KINDS, Events, render, storage
from distrack.decompose.splat.burst import white
from distrack.decompose.splat.parameters import COLUMNS, PAN, PLACES, mixed, sounds_of_rows
from distrack.errors import EventsError

RATE = 16_000
Floats = NDArray[np.float32]

PLAIN = {
    "time": 0.1,
    "frequency": 440.0,
    "amplitude": 0.5,
    "mix": 1.0,
    "attack": 0.003,
    "decay": 0.15,
    "damping": 2.0,
    "bend": 0.0,
    "burst": 0.02,
    "centre": 2_000.0,
    "width": 0.4,
    "noise": 7.0,
    "phase": 0.3,
    "cosine 2": 0.5,
    "sine 3": -0.3,
}


def splats(*rows: dict[str, float], seconds: float = 1.0, rate: int = RATE, **given: Any) -> Events:
    channels = 2 if any("pan" in row for row in rows) else 1
    parameters = np.zeros((len(rows), len(COLUMNS) + channels - 1), np.float32)
    for place, row in enumerate(rows):
        for name, value in (PLAIN | row).items():
            parameters[place, PLACES[name]] = value
    envelope = given.pop("envelope", "gamma")
    return Events.of(
        "splat",
        parameters,
        sample_rate=rate,
        samples=round(seconds * rate),
        channels=channels,
        settings={"envelope": envelope},
        **given,
    )


def drawn(count: int, *, seconds: float, channels: int = 1, rate: int = RATE) -> Events:
    """Any events at all, of sounds that a clip may hold."""
    random = np.random.default_rng(3)

    def log(low: float, high: float) -> NDArray[np.float64]:
        return low * (high / low) ** random.random(count)

    columns = {
        "time": random.uniform(-0.05, seconds * 0.9, count),
        "frequency": log(80, 0.3 * rate),
        "amplitude": log(0.01, 1),
        "mix": random.random(count),
        "attack": log(0.001, 0.2),
        "decay": log(0.01, 0.6),
        "damping": log(0.1, 30),
        "bend": random.uniform(-0.1, 0.1, count),
        "burst": log(0.002, 0.1),
        "centre": log(200, 0.3 * rate),
        "width": log(0.1, 2),
        "noise": np.arange(count),
        "phase": random.uniform(-3, 3, count),
        "pan": random.uniform(-1, 1, count),
    }
    columns |= {c.name: random.normal(0, 0.5, count) for c in COLUMNS if c.name.startswith(("cosine", "sine"))}
    names = [column.name for column in (*COLUMNS, PAN)[: len(COLUMNS) + channels - 1]]
    rows = np.stack([columns[name] for name in names], 1).astype(np.float32)
    return Events.of(
        "splat",
        rows,
        sample_rate=rate,
        samples=round(seconds * rate),
        channels=channels,
        settings={"envelope": "gamma"},
        seed=5,
    )


def slowly(events: Events) -> NDArray[np.float64]:
    """The formulas, event by event in float64, with nothing left out and nothing in tiles."""
    rate, samples = events.sample_rate, events.samples
    total = np.zeros((events.channels, samples))
    for row in events.parameters.astype(np.float64):
        said = {name: row[place] for name, place in PLACES.items() if place < len(row)}
        t = np.arange(samples) / rate - said["time"]
        sounding, t = t > 0, np.maximum(t, 0)
        attack, decay = said["attack"], said["decay"]

        def shape(t: Any, attack: float = attack, decay: float = decay) -> Any:
            return (1 - np.exp(-t / attack)) ** 2 * np.exp(-t / decay)

        loudest = attack * np.log1p(2 * decay / attack)
        settling = attack + decay
        begun = said["frequency"] / (1 + said["bend"] * (1 - np.exp(-loudest / settling)))
        cycles = begun * (t + said["bend"] * (t - settling * (1 - np.exp(-t / settling))))
        parts = [1.0, *(complex(said[f"cosine {k}"], said[f"sine {k}"]) for k in (2, 3, 4))]
        norm = np.sqrt(sum(abs(part) ** 2 for part in parts))
        tone = np.zeros(samples)
        for k, part in enumerate(parts, 1):
            highest = k * begun * max(1.0, 1 + said["bend"])
            fade = np.clip((rate / 2 - highest) / (0.05 * rate / 2), 0, 1)
            angle = k * (2 * np.pi * cycles + said["phase"])
            tone += fade * np.exp(-(k - 1) * said["damping"] * t) * (part * np.exp(1j * angle)).real
        tone *= said["mix"] / norm * shape(t) / shape(loudest) * sounding
        # The noise: a spectrum filtered, and evaluated at the samples' distances from the onset by the sum itself.
        size = 64
        while size < np.ceil(said["burst"] * 12.5 * rate) + 2 and size < samples:
            size *= 2
        spectrum = np.fft.rfft(white(int(said["noise"]), seed=events.seed, length=size).astype(np.float64))
        frequency = np.maximum(np.arange(size // 2 + 1) * rate / size, 1e-3)
        band = np.exp(-0.5 * (np.log2(frequency / said["centre"]) / said["width"]) ** 2)
        spread = said["width"] * np.log(2)
        power = said["centre"] * np.sqrt(np.pi) * spread * np.exp(spread**2 / 4) / (rate / 2)
        first = int(np.floor(said["time"] * rate))
        late = first - said["time"] * rate
        noise = np.fft.irfft(spectrum * band * np.exp(2j * np.pi * np.arange(size // 2 + 1) * late / size), size)
        past = np.maximum(np.arange(size) + late, 0) / rate / said["burst"]
        noise *= (1 - said["mix"]) / np.sqrt(power) * past * np.exp(1 - past)
        placed = np.zeros(samples + 2 * size)
        at = first + size
        if at + size <= len(placed):
            placed[at : at + size] = noise
        else:
            placed[at:] = noise[: len(placed) - at]
        wave = said["amplitude"] * (tone + placed[size : size + samples])
        angle = (said.get("pan", 0) + 1) * np.pi / 4
        total += np.outer([np.cos(angle), np.sin(angle)], wave) if events.channels == 2 else wave
    return total


def pitch_of(wave: Floats, *, rate: int = RATE) -> float:
    """The strongest frequency, to a fraction of a bin."""
    size = 1 << 18
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), size))
    return float(power.argmax()) * rate / size


def energy_around(wave: Floats, low: float, high: float, *, rate: int = RATE) -> float:
    power = np.square(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))))
    frequency = np.fft.rfftfreq(len(wave), 1 / rate)
    return float(power[(frequency >= low) & (frequency < high)].sum())


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 2), (44_100, 1)])
def test_a_rendering_is_what_the_formulas_say(rate: int, channels: int) -> None:
    events = drawn(12, seconds=0.5, channels=channels, rate=rate)
    wanted = slowly(events)
    # 80 dB below an event's peak, where it is taken to have ended, and what float32 makes of an angle.
    assert np.abs(render(events) - wanted).max() < 3e-4 * np.abs(wanted).max()


def test_its_gradient_is_that_of_small_differences() -> None:
    events = drawn(3, seconds=0.2, channels=2)
    target = torch.from_numpy(np.random.default_rng(0).normal(size=(2, events.samples)).astype(np.float32))
    # A smooth weight: what a sample more or less at an onset adds must not decide.
    target = torch.nn.functional.avg_pool1d(target, 9, 1, 4)

    def value(rows: torch.Tensor) -> torch.Tensor:
        given = sounds_of_rows(rows, sample_rate=RATE)
        wave = mixed(given, sample_rate=RATE, samples=events.samples, seed=5, envelope="gamma")
        return (wave * target).double().sum()

    rows = torch.from_numpy(events.parameters).double().requires_grad_()
    (slopes,) = torch.autograd.grad(value(rows), rows)
    for column, place in PLACES.items():
        if column == "noise":
            continue
        size = {"time": 2e-6, "frequency": 1e-2, "centre": 1.0, "damping": 0.05}.get(column, 1e-3)
        size *= {"attack": 0.05, "decay": 0.2, "burst": 0.05}.get(column, 1.0)
        for row in range(3):
            more, less = rows.detach().clone(), rows.detach().clone()
            more[row, place] += size
            less[row, place] -= size
            measured = float(value(more) - value(less)) / (2 * size)
            scale = max(abs(measured), float(slopes[:, place].abs().max()) * 0.05, 1e-3)
            assert abs(measured - float(slopes[row, place])) < 0.05 * scale, (column, row)


def test_it_is_the_same_on_every_call_in_another_process_and_with_other_threads(tmp_path: Path) -> None:
    events = drawn(20, seconds=0.6, channels=2)
    path = tmp_path / "events.safetensors"
    path.write_bytes(storage.to_bytes(events))
    script = (
        "import sys, pathlib, numpy, torch; torch.set_num_threads(1); from distrack.decompose import render, storage; "
        "sys.stdout.buffer.write(render(storage.load(pathlib.Path(sys.argv[1]))).tobytes())"
    )
    other = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=True)
    assert render(events).tobytes() == render(events).tobytes() == other.stdout


def test_an_event_sounds_the_same_wherever_it_stands_and_whatever_its_row() -> None:
    noisy = {"mix": 0.3, "time": 0.1}
    here = render(splats(noisy))[0]
    later = render(splats({**noisy, "time": 0.1 + 4_096 / RATE}))[0]
    assert np.abs(later[4_096:] - here[:-4_096]).max() < 2e-4 * np.abs(here).max()
    others = [{"noise": 1.0, "mix": 0.5}, {"noise": 2.0, "mix": 0.5, "time": 0.5}]
    together, without = render(splats(*others, noisy))[0], render(splats(*others))[0]
    assert np.abs(together - without - here).max() < 1e-6
    muted = KINDS["splat"].synthesise(splats(*others, noisy), np.array([0, 0, 1], np.float32))[0]
    assert np.abs(muted - here).max() < 1e-6


def test_time_lies_between_samples() -> None:
    band = {"mix": 0.5, "centre": 1_000.0, "width": 0.3, "attack": 0.02, "burst": 0.05}
    here, between = (render(splats({**band, "time": 0.2 + shift / RATE}))[0] for shift in (0.0, 0.5))
    spectrum = np.fft.rfft(here)
    moved = np.fft.irfft(spectrum * np.exp(-1j * np.pi * np.arange(len(spectrum)) / len(here)), len(here))
    assert np.linalg.norm(between - moved) < 0.01 * np.linalg.norm(moved)


def test_what_passes_half_the_sample_rate_is_silent() -> None:
    tone = render(splats({"frequency": 3_000.0, "cosine 3": 1.0}))[0]
    # The third harmonic, 9 kHz, would be heard at 7 kHz.
    assert energy_around(tone, 6_900, 7_100) < 1e-6 * energy_around(tone, 2_900, 3_100)
    above = splats({"frequency": 9_000.0, "centre": 90_000.0, "width": 0.3, "mix": 0.5})
    assert np.abs(render(above)).max() < 1e-6


def test_noise_has_the_band_and_the_level_that_are_said() -> None:
    hiss = {"mix": 0.0, "burst": 0.2, "centre": 2_000.0, "width": 0.25, "time": 0.0, "amplitude": 0.5}
    waves = np.stack([render(splats({**hiss, "noise": float(k)}, seconds=2.0))[0] for k in range(24)])
    # The gamma envelope is loudest, and flat, one time constant after the onset.
    loudest = waves[:, round(0.17 * RATE) : round(0.23 * RATE)]
    assert np.sqrt(np.square(loudest).mean()) == pytest.approx(0.5, rel=0.08)
    power = np.square(np.abs(np.fft.rfft(waves))).mean(0)
    octave = np.log2(np.maximum(np.fft.rfftfreq(waves.shape[1], 1 / RATE), 1) / 2_000)
    weight = power / np.maximum(2**octave, 1e-3)
    middle = (octave * weight).sum() / weight.sum()
    # Power is the band squared, so that its deviation is the band's over the square root of 2.
    spread = np.sqrt((np.square(octave - middle) * weight).sum() / weight.sum())
    assert middle == pytest.approx(0, abs=0.05)
    assert spread == pytest.approx(0.25 / np.sqrt(2), rel=0.1)


def test_noise_is_white_without_repetition_and_another_for_each_number_and_seed() -> None:
    one, other, seeded = (white(n, seed=s, length=1 << 15) for n, s in ((1, 0), (2, 0), (1, 9)))
    assert one.var() == pytest.approx(1, abs=0.02)
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.02
    assert max(abs(np.corrcoef(one, two)[0, 1]) for two in (other, seeded)) < 0.02
    assert np.array_equal(one[:100], white(1, seed=0, length=100))


def test_a_low_pass_closes() -> None:
    wave = render(splats({"cosine 4": 1.0, "damping": 8.0, "decay": 0.5, "time": 0.0}))[0]
    early, late = wave[:4_000], wave[6_000:10_000]
    share = [energy_around(part, 1_700, 1_820) / energy_around(part, 400, 480) for part in (early, late)]
    # 6,000 samples later harmonic 4 has fallen by exp(-3 * 8 * 0.375) more than the first: 78 dB.
    assert 10 * np.log10(share[1] / share[0]) == pytest.approx(-20 * np.log10(np.e) * 3 * 8 * 0.375, abs=2)


@pytest.mark.parametrize("bend", [-0.08, 0.08])
def test_a_bent_event_has_its_pitch_where_it_is_loudest(bend: float) -> None:
    wave = render(splats({"bend": bend, "attack": 0.4, "decay": 0.2, "time": 0.0, "cosine 2": 0.0, "sine 3": 0.0}))[0]
    at = round(0.4 * np.log1p(1.0) * RATE)
    assert pitch_of(wave[at - 800 : at + 800]) == pytest.approx(440, rel=0.005)


def test_64_events_of_3_seconds_are_heard_in_less_than_0_3_s() -> None:
    events = drawn(64, seconds=3.0, rate=22_050)
    render(events)
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        render(events)
        taken.append(time.perf_counter() - began)
    assert min(taken) < 0.3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency", 0.0),
        ("amplitude", -1.0),
        ("mix", 1.5),
        ("attack", 0.0),
        ("decay", -1.0),
        ("noise", 0.5),
        ("noise", -1.0),
        ("width", 0.0),
        ("bend", -1.0),
        ("pan", 2.0),
        ("cosine 2", 1e9),
    ],
)
def test_numbers_that_cannot_be_are_refused(name: str, value: float) -> None:
    with pytest.raises(EventsError, match=name):
        splats({"pan": 0.0, name: value})


def test_an_unknown_envelope_is_refused() -> None:
    with pytest.raises(EventsError, match="envelope"):
        splats({}, envelope="square")
    noisy = {"mix": 0.0, "burst": 0.05}
    peaks = [np.abs(render(splats(noisy, envelope=shape))[0]).argmax() for shape in ("gamma", "gaussian")]
    # One time constant after the onset, and four.
    assert peaks[0] < (0.1 + 0.15) * RATE < peaks[1] < (0.1 + 0.4) * RATE
