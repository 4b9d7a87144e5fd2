"""Pictures from outside, made anew: what goes out is a JPEG of our own, with nothing of what came in but its pixels.

Nothing is decoded before its kind and its size are known; what is decoded is bounded in pixels and in passes over
them, and one thread alone does it, so that hostile files can cost neither much memory nor the event loop.
"""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageOps

MOST_BYTES = 5 * 1024 * 1024
MOST_PIXELS = 25_000_000
MOST_SCANS = 64  # cameras write 1, progressive pictures some 10; each is a pass over all pixels for a few bytes
LONGEST_SIDE = 1000
QUALITY = 88
SECONDS = 20
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
SCAN = b"\xff\xda"
BIGGEST_PROFILE = 1024 * 1024
DEEP = ("I", "F")  # modes with more than 8 bits to a channel begin so
TOO_LARGE = f"The picture may have at most {MOST_PIXELS // 1_000_000} million pixels."
KINDS = "Send a JPEG or a PNG file; what the file is called does not count."

Image.MAX_IMAGE_PIXELS = MOST_PIXELS
_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")


class NotAPicture(Exception):
    """What came in is no picture that we take; the message says why, fit to be shown."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of our own making, and its size in pixels."""

    content: bytes
    width: int
    height: int


async def made_anew(raw: bytes) -> Picture:
    """The picture in these bytes, upright, in sRGB, at most 1000 pixels wide and high. Raises NotAPicture."""
    _check_before_decoding(raw)
    try:
        async with asyncio.timeout(SECONDS):
            return await asyncio.get_running_loop().run_in_executor(_pool, _made_anew, raw)
    except TimeoutError:
        raise NotAPicture("This picture takes too long to read. Save it anew, and smaller.") from None


def _check_before_decoding(raw: bytes) -> None:
    if len(raw) > MOST_BYTES:
        raise NotAPicture(f"The file may have at most {MOST_BYTES // 1024 // 1024} MiB.")
    if not raw.startswith((JPEG, PNG)):
        raise NotAPicture(KINDS)
    # Inside of coded pixels FF is always followed by 00, so this finds nothing but beginnings of scans.
    if raw.startswith(JPEG) and raw.count(SCAN) > MOST_SCANS:
        raise NotAPicture("This JPEG has too many scans. Save it anew.")


def _made_anew(raw: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(raw), formats=("JPEG", "PNG")) as image:
            _check_header(image)
            return _written(_upright(image))
    except NotAPicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotAPicture(TOO_LARGE) from None
    except Exception as error:  # a decoder that is fed anything may raise anything; all of it means one thing
        raise NotAPicture("This file is damaged, or is no picture.") from error


def _check_header(image: Image.Image) -> None:
    """What the file says of itself; nothing has been decoded yet."""
    if image.width * image.height > MOST_PIXELS:
        raise NotAPicture(TOO_LARGE)
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise NotAPicture("The picture moves. Send one that stands still.")
    if image.mode == "CMYK":
        raise NotAPicture("The picture is in the colours of print (CMYK). Save it in RGB.")
    if image.mode.startswith(DEEP):
        raise NotAPicture("The picture has 16 bits to a channel. Save it with 8.")


def _upright(image: Image.Image) -> Image.Image:
    """The picture as people see it: small, turned as its camera noted, on white, in sRGB."""
    profile = image.info.get("icc_profile")
    image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))  # of a large JPEG, no more is decoded than is needed
    image.load()
    turned = ImageOps.exif_transpose(image)
    turned = _on_white(turned) if turned.has_transparency_data else turned.convert("RGB")
    turned.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return _in_srgb(turned, profile)


def _on_white(image: Image.Image) -> Image.Image:
    layered = image.convert("RGBA")
    white = Image.new("RGB", layered.size, "white")
    white.paste(layered, mask=layered.getchannel("A"))
    return white


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The same colours without the profile; one that is damaged, huge, or not of RGB is left aside."""
    if not profile or len(profile) > BIGGEST_PROFILE:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        changed = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return changed or image


def _written(image: Image.Image) -> Picture:
    clean = Image.new("RGB", image.size)  # Pillow writes comments and more of what it read from an image's `info`
    clean.paste(image)
    content = io.BytesIO()
    clean.save(content, "JPEG", quality=QUALITY, optimize=True)
    return Picture(content.getvalue(), clean.width, clean.height)
