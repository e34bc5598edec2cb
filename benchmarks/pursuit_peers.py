"""Published matching pursuits that are installed on this machine, run on the clips of `benchmarks.pursuit`.

LTFAT's `multidgtrealmp` by Octave, MPTK's `mpd` and empi are taken from PATH, and scikit-learn from the environment. A
program that is not there is named as not found. All atoms of the first three but empi's lie on a grid, so that an atom
is its place and a complex amplitude: three floats. Processor seconds are those of the search, without starting Octave.
"""

import math
import re
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from distrack.arrays import Doubles, Floats
from distrack.decompose import Events, render, snr_db

# Windows of LTFAT's dictionaries (window, hop, channels): those of its documentation, and as many as paid.
USUAL = ((128, 512), (512, 2048), (2048, 8192))
DENSE = ((16, 128), (64, 512), (256, 2048), (1024, 8192))
# Window lengths of MPTK's Gabor atoms; the hop is an eighth.
WINDOWS = (128, 256, 512, 1024, 2048, 4096, 8192)
# scikit-learn needs its dictionary as a matrix: blocks of so many samples, with windows of these lengths.
BLOCK, BLOCK_WINDOWS = 2048, (128, 512, 2048)
# Bits that an amplitude and a phase take in events in few bits; a grid's place takes the logarithm of its choices.
AMPLITUDE_AND_PHASE = 7.3
ABSENT = "not found"


class Run(NamedTuple):
    """One decomposition by a peer: decibels of the reconstruction and processor seconds of one thread."""

    snr_db: float
    seconds: float


# (clip, sample rate, numbers of atoms) -> a run for each number of atoms.
Runner = Callable[[Floats, int, Sequence[int]], list[Run]]


class Peer(NamedTuple):
    """A published tool.

    Attributes:
        settings: its version and what it was told; `ABSENT` where it is not installed.
        floats: numbers stored of an atom.
        places: places of its grid in a clip of some samples; 0 for atoms without a grid.
    """

    name: str
    settings: str
    floats: int
    places: Callable[[int], int]
    run: Runner | None

    def bits(self, samples: int, atoms: int) -> float:
        """Bits of an atom by the entropy of its place, in the peer's favour: rounding and coding cost it nothing."""
        return math.log2(math.e * self.places(samples) / atoms) + AMPLITUDE_AND_PHASE

    def atoms_in(self, bits: int, samples: int) -> int:
        """The number of atoms that fit into so many bits; 0 for a peer that stores floats alone."""
        if not self.places(samples):
            return 0
        fitting = 1
        while (fitting + 1) * self.bits(samples, fitting + 1) <= bits:
            fitting += 1
        return fitting


def peers() -> list[Peer]:
    """All peers, those that are not installed too."""
    return [*_ltfat(), _mptk(), _empi(), _scikit_learn()]


# LTFAT


def _ltfat() -> list[Peer]:
    octave, settings = shutil.which("octave-cli") or shutil.which("octave"), ABSENT
    if octave:
        # The compiled function of the pursuit must be there, which `exist` calls 3.
        asked = "version, ltfathelp('version'), exist('comp_multidgtrealmp')"
        answer = re.search(r"result (\S+) (\S+) 3", _octave(octave, f"printf('result %s %s %d\\n', {asked})"))
        if answer:
            settings = f"Octave {answer[1]}, LTFAT {answer[2]}"
    found = []
    for title, dictionary in (("usual dictionary", USUAL), ("dense dictionary", DENSE)):
        told = f"{settings}, Blackman windows {dictionary} (hop, channels)" if settings != ABSENT else ABSENT

        def places(samples: int, dictionary: Sequence[tuple[int, int]] = dictionary) -> int:
            return sum(-(-samples // hop) * (channels // 2 + 1) for hop, channels in dictionary)

        def run(
            wave: Floats, rate: int, counts: Sequence[int], dictionary: Sequence[tuple[int, int]] = dictionary
        ) -> list[Run]:
            return [_multidgtrealmp(str(octave), wave, rate, count, dictionary) for count in counts]

        found.append(Peer(f"LTFAT multidgtrealmp, {title}", told, 3, places, None if settings == ABSENT else run))
    return found


def _octave(octave: str, code: str) -> str:
    start = "try, pkg load ltfat, catch, end, if exist('ltfatstart'), ltfatstart(0), end"
    command = [octave, "--no-gui", "--quiet", "--eval", f"{start}, {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600).stdout


def _multidgtrealmp(octave: str, wave: Floats, rate: int, atoms: int, dictionary: Sequence[tuple[int, int]]) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.wav"
        soundfile.write(clip, wave.T, rate, subtype="FLOAT")
        cells = ", ".join(f"'blackman', {hop}, {channels}" for hop, channels in dictionary)
        code = (
            f"f = audioread('{clip}'); t = cputime; "
            f"[c, r, info] = multidgtrealmp(f, {{{cells}}}, -200, {atoms}, 'pedanticsearch'); "
            "printf('result %.17g %.17g\\n', -20 * log10(norm(f - r) / norm(f)), cputime - t)"
        )
        answer = _octave(octave, code)
    snr, seconds = re.findall(r"result (\S+) (\S+)", answer)[-1]
    return Run(float(snr), float(seconds))


# MPTK


def _mptk() -> Peer:
    program = shutil.which("mpd")
    settings = ABSENT if program is None else f"{_first_line([program, '--version'])}, Gaussian windows {WINDOWS}"

    def places(samples: int) -> int:
        return sum(-(-samples // (window // 8)) * (window // 2 + 1) for window in WINDOWS)

    def run(wave: Floats, rate: int, counts: Sequence[int]) -> list[Run]:
        return [_mpd(str(program), wave, rate, count) for count in counts]

    return Peer("MPTK mpd", settings, 3, places, None if program is None else run)


def _mpd(program: str, wave: Floats, rate: int, atoms: int) -> Run:
    blocks = "".join(
        '<block uses="GAUSS"><param name="type" value="gabor"/>'
        f'<param name="windowLen" value="{window}"/><param name="windowShift" value="{window // 8}"/>'
        f'<param name="fftSize" value="{window}"/></block>'
        for window in WINDOWS
    )
    window = '<param name="windowtype" value="gauss"/><param name="windowopt" value="0"/>'
    shape = f'<blockproperties name="GAUSS">{window}</blockproperties>'
    with tempfile.TemporaryDirectory() as folder:
        clip, dictionary, decay = (Path(folder) / name for name in ("clip.wav", "dictionary.xml", "decay"))
        soundfile.write(clip, wave.T, rate, subtype="FLOAT")
        dictionary.write_text(
            f'<?xml version="1.0" encoding="ISO-8859-1"?><dict><libVersion>0.2</libVersion>{shape}{blocks}</dict>'
        )
        seconds = _processor_seconds(
            [program, "-q", "-D", str(dictionary), "-n", str(atoms), "-E", str(decay), str(clip), f"{folder}/book.bin"]
        )
        # The energy before the first atom and after each one.
        energies = np.fromfile(decay, np.float64)
    return Run(10 * math.log10(energies[0] / energies[-1]), seconds)


# empi


def _empi() -> Peer:
    program = shutil.which("empi")
    settings = ABSENT if program is None else f"{_first_line([program, '--version'])}, --gabor -o local, one thread"

    def run(wave: Floats, rate: int, counts: Sequence[int]) -> list[Run]:
        return [_decomposed(str(program), wave, rate, count) for count in counts]

    return Peer("empi", settings, 5, lambda _: 0, None if program is None else run)


def _decomposed(program: str, wave: Floats, rate: int, atoms: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        clip, book = Path(folder) / "clip.bin", Path(folder) / "book.db"
        wave[0].astype(np.float32).tofile(clip)
        threads = ["--cpu-threads", "1", "--cpu-workers", "1"]
        seconds = _processor_seconds(
            [program, str(clip), str(book), "-f", str(rate), "-i", str(atoms), "-o", "local", "--gabor", *threads]
        )
        with sqlite3.connect(book) as database:
            rows = database.execute("SELECT t0_s, scale_s, f_Hz, amplitude, phase FROM atoms").fetchall()
    parameters = np.array(rows, np.float32)
    # Its Gaussian is exp(-pi (t / s)^2).
    parameters[:, 1] /= math.sqrt(2 * math.pi)
    return Run(snr_db(wave, render(Events.of("gabor", parameters, sample_rate=rate, samples=wave.shape[1]))), seconds)


# scikit-learn


def _scikit_learn() -> Peer:
    # Imported here, as it would count as memory of the pursuit.
    import sklearn

    settings = (
        f"scikit-learn {sklearn.__version__}, orthogonal_mp in blocks of {BLOCK} samples, each with as many atoms; "
        f"cosines and sines under Gaussian windows {BLOCK_WINDOWS}, hop a quarter"
    )

    def places(samples: int) -> int:
        return -(-samples // BLOCK) * sum(4 * BLOCK // window * (window // 2 + 1) * 2 for window in BLOCK_WINDOWS)

    return Peer("scikit-learn OMP", settings, 2, places, _orthogonal_mp)


def _orthogonal_mp(wave: Floats, rate: int, counts: Sequence[int]) -> list[Run]:  # noqa: ARG001
    from sklearn.linear_model import orthogonal_mp

    dictionary = _dictionary()
    blocks = np.pad(wave[0], (0, -wave.shape[1] % BLOCK)).reshape(-1, BLOCK).astype(np.float64)
    runs = []
    for count in counts:
        began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        with warnings.catch_warnings():
            # A block ends early once its next atom depends on those it has.
            warnings.simplefilter("ignore", RuntimeWarning)
            coefficients = orthogonal_mp(dictionary, blocks.T, n_nonzero_coefs=max(count // len(blocks), 1))
        seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began
        sound = (dictionary @ coefficients).T.reshape(1, -1)[:, : wave.shape[1]].astype(np.float32)
        runs.append(Run(snr_db(wave, sound), seconds))
    return runs


def _dictionary() -> Doubles:
    """Atoms of energy 1 in a block, ``[samples, atoms]``."""
    place = np.arange(BLOCK)
    atoms: list[Doubles] = []
    for window in BLOCK_WINDOWS:
        frequencies = np.arange(window // 2 + 1) / window
        for centre in range(window // 8, BLOCK, window // 4):
            envelope = np.exp(-0.5 * ((place - centre) / (window / 8)) ** 2)
            turns = 2 * np.pi * frequencies[:, None] * (place - centre)
            atoms += [envelope * np.cos(turns), envelope * np.sin(turns[1:-1])]
    dictionary = np.concatenate(atoms)
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    return np.ascontiguousarray(dictionary.T)


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "unknown version"


def _processor_seconds(command: list[str]) -> float:
    """Runs a program and returns the processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, timeout=3600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
