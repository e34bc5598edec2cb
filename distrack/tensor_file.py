"""Safetensors files whose bytes depend on their content alone."""

import json


def ordered(content: bytes) -> bytes:
    """A safetensors file with its header in alphabetical order; the library writes metadata in random order."""
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]
