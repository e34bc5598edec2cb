"""Names in a zip whose encoding the zip does not tell: the one in which they read best is taken.

Windows writes names in the code page of its country, and the zip says nothing of it. Which code page it was is told by
the characters that come out: real names use the frequent part of a script, and one script.

Sources:
    PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", version 6.3.10, appendix D; the layout of JIS X 0208,
    GB 2312, Big5 and KS X 1001, whose first levels hold the frequent characters.
"""

import unicodedata
from collections.abc import Iterable, Sequence

# Code pages by what people call them, in the order in which one of several that read equally well is taken.
ENCODINGS: dict[str, str] = {
    "utf-8": "Unicode",
    "cp932": "Japanese",
    "gbk": "Chinese, simplified",
    "big5": "Chinese, traditional",
    "cp949": "Korean",
    "cp866": "Cyrillic, DOS",
    "cp1251": "Cyrillic, Windows",
    "cp437": "Western, DOS",
    "cp850": "Western, DOS with all accents",
    "cp1252": "Western, Windows",
    "cp852": "Central European, DOS",
    "cp1250": "Central European, Windows",
    "cp737": "Greek, DOS",
    "cp1253": "Greek, Windows",
}
# Characters that all lie at the places of another language's before that language is believed.
_SEVERAL = 4
# First bytes of the frequent characters of each double-byte encoding.
_FREQUENT: dict[str, Sequence[tuple[int, int]]] = {
    "cp932": ((0x81, 0x97),),
    "gbk": ((0xB0, 0xD7),),
    "big5": ((0xA4, 0xC6),),
    "cp949": ((0xB0, 0xC8),),
}
# Letters beyond ASCII that single-byte names of these languages use.
_WESTERN = "äöüßÄÖÜéèêëàâçîïôûùœæñáíóúãõåøÅØÆÉÈÀÇÑÁÍÓÚ¿¡"
_CENTRAL = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňóřšťúůýžÁČĎÉĚÍŇŘŠŤÚŮÝŽőűŐŰâăîșțäöüß"
_LETTERS = {
    **dict.fromkeys(("cp437", "cp850", "cp1252"), _WESTERN),
    **dict.fromkeys(("cp852", "cp1250"), _CENTRAL),
}


def best_encoding(names: Iterable[bytes]) -> str:
    """The encoding in which all of these names read best: a key of `ENCODINGS`.

    >>> best_encoding([name.encode("cp932") for name in ("犬/1.wav", "鳥の声/2.wav")])
    'cp932'
    >>> best_encoding(["Vögel/1.wav".encode("cp850")])
    'cp437'
    """
    raw = sorted(set(names))
    if _score(raw, "utf-8") > 0:
        return "utf-8"
    scores = {encoding: _score(raw, encoding) for encoding in ENCODINGS}
    return max(scores, key=scores.__getitem__)


def _score(names: Sequence[bytes], encoding: str) -> float:
    """Mean plausibility of the characters beyond ASCII; below every other where a name cannot be decoded."""
    points = list[float]()
    for name in names:
        try:
            text = name.decode(encoding)
        except UnicodeDecodeError:
            return -1.0
        points += _points(text, encoding)
    if encoding == "utf-8":
        return 2.0
    # Every Korean syllable is at a place that Chinese uses for half of its characters: several are no accident.
    korean = encoding == "cp949" and len(points) >= _SEVERAL and min(points) == 1.0
    return sum(points) / max(len(points), 1) + (0.1 if korean else 0.0)


def _points(text: str, encoding: str) -> list[float]:
    points = []
    for place, char in enumerate(text):
        if char.isascii():
            continue
        if encoding in _FREQUENT:
            beside = (text[max(place - 1, 0) : place] + text[place + 1 : place + 2]).isascii()
            mixed = beside and any(each.isalpha() for each in text[max(place - 1, 0) : place])
            points.append(_points_of_a_wide(char, encoding) * (0.5 if mixed else 1.0))
        elif not unicodedata.category(char).startswith("L"):
            points.append(0.0)
        elif encoding in _LETTERS:
            # A capital between small letters is rarely one.
            inside = char.isupper() and place > 0 and text[place - 1].islower()
            points.append(0.2 if inside or char not in _LETTERS[encoding] else 0.9)
        else:
            # Cyrillic and Greek names hold whole words of such letters.
            neighbours = text[max(place - 1, 0) : place] + text[place + 1 : place + 2]
            script = unicodedata.name(char).split()[0]
            alone = not any(unicodedata.name(each, "").startswith(script) for each in neighbours)
            inside = char.isupper() and place > 0 and text[place - 1].islower()
            points.append(0.1 if alone or inside or script not in ("CYRILLIC", "GREEK") else 1.0)
    return points


def _points_of_a_wide(char: str, encoding: str) -> float:
    raw = char.encode(encoding)
    if len(raw) == 1:  # Japanese letters of half the width, which names hardly use
        return 0.2
    if unicodedata.category(char)[0] not in "LN":
        return 0.3
    if unicodedata.name(char, "").split()[0] in ("HIRAGANA", "KATAKANA"):
        return 1.0 if encoding == "cp932" else 0.6
    frequent = any(low <= raw[0] <= high for low, high in _FREQUENT[encoding])
    # The extensions of GB 2312 and KS X 1001 have lower second bytes.
    return 1.0 if frequent and (raw[1] >= 0xA1 or encoding in ("cp932", "big5")) else 0.4
