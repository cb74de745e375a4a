"""The images in a request's body: one as it is, or several as the files of a form. No more is read than the limits allow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from core.serve.limits import Limits
from core.serve.refusals import CLOSE, Refusal
from core.words import format_count

FORM = "multipart/form-data"
# The last two are what curl --data-binary and programs without an opinion say; what it is the bytes tell.
_RAW = ("image/", "application/octet-stream", "application/x-www-form-urlencoded")
_MEGABYTE = 1_000_000
Hold = Callable[[int], None]


@dataclass(frozen=True)
class Sent:
    """An image as it was sent; the name is empty where none was."""

    name: str
    data: bytes


async def read_images(request: Request, limits: Limits, hold: Hold) -> list[Sent]:
    """Return the images of a request in their order; `hold` is told of the bytes as they come.

    Raises:
        Refusal: for a body that is of another kind, empty, too large or too slow.
    """
    headers = request.headers
    kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind and kind != FORM and not kind.startswith(_RAW):
        raise Refusal(
            415, f"A body of type {kind[:80]} is not accepted.",
            "Send an image as it is, as image/jpeg for instance, or several as files of a form (multipart/form-data).",
        )  # fmt: skip
    if headers.get("content-encoding", "identity").strip().casefold() != "identity":
        raise Refusal(415, "A compressed body is not accepted.", "Send it without Content-Encoding.")
    most = limits.request_bytes if kind == FORM else limits.image_bytes
    chunks = _receive(request, limits, most, hold)
    if kind == FORM:
        images = await _read_form(headers, chunks, limits)
    else:
        images = [Sent("", b"".join([chunk async for chunk in chunks]))]
    for image in images:
        if not image.data:
            what = f"{image.name} is empty." if image.name else "The body is empty."
            raise Refusal(400, what, "Send the bytes of an image, such as a JPEG or PNG.")
    return images


async def _receive(request: Request, limits: Limits, most: int, hold: Hold) -> AsyncGenerator[bytes, None]:
    """Yield a body as it comes; at most `most` bytes of it."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        raise _too_large(most)
    size, end = 0, time.monotonic() + limits.body
    while True:
        left = min(limits.gap, end - time.monotonic())
        try:
            message = await asyncio.wait_for(request.receive(), max(0.0, left))
        except asyncio.TimeoutError:
            raise Refusal(
                408, "The body came too slowly.", "Send it again, or a smaller image.", CLOSE
            ) from None
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The body ended too early.", "Send it again.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        hold(len(chunk))
        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return


def _too_large(most: int) -> Refusal:
    return Refusal(
        413, f"The body is larger than {most / _MEGABYTE:g} MB.", "Send a smaller image, or fewer at a time."
    )


async def _read_form(headers: Headers, chunks: AsyncGenerator[bytes, None], limits: Limits) -> list[Sent]:
    parser = _Files(headers, chunks, limits)
    try:
        form = await parser.parse()
    except UnicodeError:
        raise Refusal(400, "A name in the form cannot be read.", "Write names as UTF-8.") from None
    except MultiPartException as error:
        raise Refusal(
            400, f"The form cannot be read: {error.message.rstrip('.')}.",
            "Send each image as a file of a form (multipart/form-data), as curl -F does.",
        ) from None  # fmt: skip
    images = []
    for field, value in form.multi_items():
        if not isinstance(value, UploadFile):
            raise Refusal(
                400, f"The field {_mend(field[:80])} of the form is not a file.",
                "Send each image as a file, with a file name; with curl: -F image=@photo.jpg",
            )  # fmt: skip
        images.append(Sent(_mend(value.filename or field), value.file.read()))
        value.file.close()
    if not images:
        raise Refusal(
            400, "The form has no image.", "Send each image as a file of the form, as curl -F does."
        )
    return images


def _mend(name: str) -> str:
    """Return a name without halves of characters, which some charsets can write and no answer can."""
    return name.encode(errors="replace").decode()


class _Files(MultiPartParser):
    """Starlette's parser of forms, which keeps files in memory and ends with the first that is too much."""

    spool_max_size = 0  # never to a file: the bytes are few enough

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], limits: Limits) -> None:
        super().__init__(headers, stream, max_part_size=limits.image_bytes)
        self._limits, self._parts, self._size = limits, 0, 0

    def on_part_begin(self) -> None:
        """Count a part."""
        super().on_part_begin()
        self._parts, self._size = self._parts + 1, 0
        if self._parts > self._limits.images:
            most = format_count(self._limits.images, "image")
            raise Refusal(413, f"The form has more than {most}.", f"Send at most {most} at a time.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Take some bytes of a part."""
        self._size += end - start
        if self._size > self._limits.image_bytes:
            most = f"{self._limits.image_bytes / _MEGABYTE:g} MB"
            raise Refusal(413, f"An image of the form is larger than {most}.", "Send a smaller one.")
        super().on_part_data(data, start, end)
