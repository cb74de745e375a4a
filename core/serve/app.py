"""The paths that are answered, over HTTP, for one model."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.dataset.images import ImageProblem, count_pixels
from core.errors import UserError
from core.model.predict import Pixels, Prediction
from core.serve import openapi
from core.serve.batcher import Batcher
from core.serve.bodies import Sent, read_images
from core.serve.door import HEALTH, Door
from core.serve.gate import Gate
from core.serve.limits import Limits
from core.serve.metrics import MEDIA_TYPE, Metrics
from core.serve.pace import Pace
from core.serve.refusals import AGAIN, Refusal
from core.serve.room import Room
from core.serve.served import Served


class Service:
    """One model behind HTTP: `app` is its ASGI application; `close` ends its threads."""

    def __init__(self, served: Served, *, gate: Gate, limits: Limits | None = None) -> None:
        self._served, self._limits = served, limits or Limits()
        self.metrics = Metrics()
        self._room = Room(self._limits)
        self._batcher = Batcher(served.answer, self._limits, self.metrics)
        self._decoders = ThreadPoolExecutor(self._limits.decoders, thread_name_prefix="decode")
        self._decoded = asyncio.Semaphore(self._limits.decoded)
        self._large = asyncio.Lock()
        routes = [
            Route("/predict", self._predict, methods=["POST"]),
            Route("/model", self._tell_model),
            Route(HEALTH, self._tell_health),
            Route("/metrics", self._tell_metrics),
            Route("/openapi.json", self._tell_openapi),
            Route("/docs", self._tell_docs),
        ]
        handlers = {Refusal: _refuse, HTTPException: _refuse_path, Exception: _tell_fault}
        inside = Starlette(routes=routes, exception_handlers=handlers)
        inside.router.redirect_slashes = False
        pace = Pace(self._limits.rate, clock=time.monotonic)
        self.app = Door(
            inside, gate=gate, pace=pace, metrics=self.metrics, paths=[route.path for route in routes]
        )

    def close(self) -> None:
        """Answer what has come, then end the threads."""
        self._decoders.shutdown(cancel_futures=True)
        self._batcher.close()

    async def _predict(self, request: Request) -> Response:
        begun = time.monotonic()
        with self._room.enter() as hold:
            images = await read_images(request, self._limits, hold)
            found = await self._answer(images)
        self.metrics.count_images(len(found))
        self.metrics.whole.observe(time.monotonic() - begun)
        return JSONResponse(
            {
                "run": self._served.run.id,
                "epoch": self._served.epoch,
                "images": [
                    self._served.describe_prediction(image.name, prediction)
                    for image, prediction in zip(images, found, strict=True)
                ],
            }
        )

    async def _answer(self, images: Sequence[Sent]) -> list[Prediction]:
        """Return what the model says of images, in their order; raises Refusal where it says nothing of one."""
        asked = asyncio.gather(*(self._answer_one(image) for image in images), return_exceptions=True)
        try:
            results = await asyncio.wait_for(asked, self._limits.wait)
        except asyncio.TimeoutError:
            late = f"There was no answer within {self._limits.wait:g} s: the server is too busy."
            raise Refusal(504, late, "Send it again later, or fewer images at a time.") from None
        bad = [
            f"{image.name or 'The body'} {result}"
            for image, result in zip(images, results, strict=True)
            if isinstance(result, ImageProblem)
        ]
        if bad:
            raise Refusal(
                422,
                f"{'; '.join(bad)}.",
                "Leave out or repair what is not an image, and send the rest again.",
            )
        found = []
        for result in results:
            if isinstance(result, asyncio.CancelledError):
                raise Refusal(503, "The server is shutting down.", "Send it again in a moment.", AGAIN)
            if isinstance(result, UserError):  # such as want of memory
                raise Refusal(503, str(result), "Send it again later.", AGAIN)
            if isinstance(result, BaseException):
                raise result
            found.append(result)
        return found

    async def _answer_one(self, image: Sent) -> Prediction:
        # No more than these are read ahead of the network; the others wait as they were sent, which is smaller.
        async with self._decoded:
            with self._batcher.expect():
                answer = self._batcher.submit(await self._look(image.data))
            return await asyncio.wrap_future(answer)

    async def _look(self, data: bytes) -> tuple[Pixels, ...]:
        """Do what `Served.look` does, in another thread."""
        loop = asyncio.get_running_loop()
        pixels = await loop.run_in_executor(self._decoders, count_pixels, io.BytesIO(data))
        if pixels <= self._limits.large:
            return await loop.run_in_executor(self._decoders, self._served.look, data)
        # The reader takes one of these at a time. Where the others waited for it there, each would hold a thread, and
        # small images would wait too; so the next begins at the end of this one, whether anybody still asks for it or not.
        await self._large.acquire()
        job = self._decoders.submit(self._served.look, data)
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._large.release))
        return await asyncio.wrap_future(job)

    def _tell_model(self, _: Request) -> Response:
        return JSONResponse(self._served.describe())

    async def _tell_health(self, _: Request) -> Response:
        if not self._batcher.is_alive:
            raise Refusal(503, "The network no longer answers.", "Start the server again.")
        return JSONResponse({"status": "ok"})

    async def _tell_metrics(self, _: Request) -> Response:
        gauges = {
            "weakspot_requests_inside": ("Predict requests being answered.", self._room.requests),
            "weakspot_images_waiting": (
                "Images that are read and wait for the network.",
                self._batcher.waiting,
            ),
            "weakspot_held_bytes": ("Bytes of the bodies being answered.", self._room.bytes),
        }
        return PlainTextResponse(self.metrics.render(gauges), media_type=MEDIA_TYPE)

    async def _tell_openapi(self, _: Request) -> Response:
        return JSONResponse(openapi.describe(self._limits))

    async def _tell_docs(self, _: Request) -> Response:
        return HTMLResponse(openapi.draw_page(openapi.describe(self._limits)))


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.respond()


async def _refuse_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path, headers = request.scope["path"][:80], dict(error.headers or {})
    if error.status_code == 405:
        ways = headers.get("Allow", "").replace("HEAD, ", "").replace(", HEAD", "")
        what, fix = f"{path} takes no {request.method}.", f"It takes {ways}."
    else:
        what, fix = f"This server has no {path}.", "See /docs for what it has."
    return Refusal(error.status_code, what, fix, headers).respond()


async def _tell_fault(_: Request, __: Exception) -> Response:
    what = "The server failed on this request; it still answers others."
    return Refusal(500, what, "Its log has the full error.").respond()
