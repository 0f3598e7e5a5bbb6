"""Photos of reports: opened with bounds, made anew without what a camera adds, under our names."""

from __future__ import annotations

import io
import os
import secrets
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from layers.errors import InvalidBody

MAX_PIXELS = 50_000_000
_LONGEST_SIDE = 2_048
_FORMATS = ("JPEG", "PNG", "WEBP")


def keep_photo(content: bytes, folder: Path) -> str:
    """Keep a photo as a JPEG of at most 2,048 pixels a side; its name.

    Nothing of the file is kept but what is seen: no place, no camera, no thumbnail.

    Raises:
        InvalidBody: it is no JPEG, PNG or WebP, or has too many pixels.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as photo:
            # The size stands in the head of the file; nothing was unpacked yet.
            if photo.width * photo.height > MAX_PIXELS:
                message = f"has more than {MAX_PIXELS:,} pixels"
                raise InvalidBody(message, "/photo")
            photo.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
            seen = ImageOps.exif_transpose(photo).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        message = "is no JPEG, PNG or WebP that can be read"
        raise InvalidBody(message, "/photo") from error
    seen.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    seen.info.clear()
    name = f"{secrets.token_hex(16)}.jpg"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder / f"{name}.part"
    with part.open("wb") as file:
        seen.save(file, "JPEG", quality=85, optimize=True)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / name)
    return name
