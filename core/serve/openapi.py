"""What the server answers, as OpenAPI 3.1 describes it for programs, and as a page for people."""

from __future__ import annotations

from html import escape
from typing import Any

import core
from core.serve.limits import Limits

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
    "code,pre{font:14px/1.5 ui-monospace,monospace;background:#f3f3f3;border-radius:4px;padding:.1em .3em}"
    "h2 code{font-size:1.1rem}pre{padding:.8em;overflow-x:auto}h2{margin-top:2.2em}td{vertical-align:top;padding:.15em 1em .15em 0}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}code,pre{background:#222}}"
)
_EXAMPLES = {
    "/predict": (
        'curl --data-binary @photo.jpg -H "Content-Type: image/jpeg" ADDRESS/predict',
        "curl -F image=@one.jpg -F image=@two.png ADDRESS/predict",
    ),
    "/model": ("curl ADDRESS/model",),
    "/metrics": ("curl ADDRESS/metrics",),
    "/healthz": ("curl ADDRESS/healthz",),
}


def describe(limits: Limits) -> dict[str, Any]:
    """Return the description of all that is answered, within these limits."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Weakspot",
            "version": core.__version__,
            "description": "One image classifier behind HTTP. Send images, and get the likeliest classes of each.",
        },
        "security": [{}, {"token": []}],
        "paths": {
            "/predict": {"post": _describe_predict(limits)},
            "/model": {"get": _describe_get("Say which model answers.", "What is known of it.", "Model")},
            "/healthz": {
                "get": {
                    **_describe_get("Say whether the server is up.", "The network answers."),
                    "security": [{}],
                }
            },
            "/metrics": {
                "get": _describe_get(
                    "Say how much was asked and how long it took.", "Text for Prometheus.", media="text/plain"
                )
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _describe_schemas(),
        },
    }


def draw_page(described: dict[str, Any]) -> str:
    """Return a page for people of what `describe` returns; it loads nothing from anywhere."""
    info = described["info"]
    parts = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])} ADDRESS is where this page is, without <code>/docs</code>.</p>"
    ]
    for path, ways in described["paths"].items():
        for method, way in ways.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(way['summary'])}")
            parts.append(f" {escape(way.get('description', ''))}</p>")
            parts += [f"<pre>{escape(example)}</pre>" for example in _EXAMPLES[path]]
            rows = (
                f"<tr><td>{escape(code)}</td><td>{escape(answer['description'])}</td></tr>"
                for code, answer in way["responses"].items()
            )
            parts.append(f"<table>{''.join(rows)}</table>")
    parts.append(
        "<h2>Token</h2><p>A server that asks for a token wants the header "
        "<code>Authorization: Bearer TOKEN</code> with all but <code>/healthz</code> and this page.</p>"
        "<p>For programs: <a href='openapi.json'>openapi.json</a></p>"
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>Weakspot: serve</title><style>{_STYLE}</style><body>{''.join(parts)}</body></html>"
    )


def _describe_predict(limits: Limits) -> dict[str, Any]:
    image, request = (f"{count / 1_000_000:g} MB" for count in (limits.image_bytes, limits.request_bytes))
    refusals = {
        "400": "The body is empty, cut off, or not a form that can be read.",
        "401": "The token is missing or wrong.",
        "403": "Without a token, only this machine is answered.",
        "408": "The body came too slowly.",
        "413": f"More than {image} for an image, {request} for a form, or {limits.images} images.",
        "415": "The body is of another type.",
        "422": "A file is not a readable image, or has too many pixels. The error names it.",
        **(
            {"429": f"The address has made more than {limits.rate:,} requests within a minute."}
            if limits.rate
            else {}
        ),
        "503": "The queue is full. Retry-After says when to send it again.",
        "504": f"There was no answer within {limits.wait:g} s.",
    }
    one = {"schema": {"type": "string", "format": "binary"}}
    several = {
        "schema": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": limits.images,
            "additionalProperties": {"type": "string", "format": "binary"},
        }
    }
    return {
        "summary": "Name the likeliest classes of one image or several.",
        "description": f"Send one image as the body, or up to {limits.images} as files of a form.",
        "requestBody": {
            "required": True,
            "content": {"image/*": one, "application/octet-stream": one, "multipart/form-data": several},
        },
        "responses": {
            "200": _answer(
                "The classes of each image, in the order sent.", "application/json", "Predictions"
            ),
            **{code: _answer(why, "application/json", "Refusal") for code, why in refusals.items()},
        },
    }


def _describe_get(
    summary: str, about: str, schema: str = "", *, media: str = "application/json"
) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _answer(about, media, schema)}}


def _answer(about: str, media: str, schema: str) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}} if schema else {}
    return {"description": about, "content": {media: content}}


def _describe_schemas() -> dict[str, Any]:
    text, share, whole = (
        {"type": "string"},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "integer"},
    )
    named = {"name": {**text, "description": "The folder of the class."}, "label": text}
    image = _object(
        name={**text, "description": "The file's name; empty where none was sent."},
        sure={
            "type": "boolean",
            "description": "Whether the first confidence reaches the run's threshold, 0.5 where none was chosen.",
        },
        strange={
            "type": ["boolean", "null"],
            "description": "Whether it is unlike all training images; null where the run has not learned to tell.",
        },
        classes={"type": "array", "maxItems": 5, "items": _object(**named, confidence=share)},
    )
    return {
        "Predictions": _object(run=text, epoch=whole, images={"type": "array", "items": image}),
        "Model": _object(
            run=text,
            epoch={**whole, "description": "The epoch of the model that answers."},
            newer_epoch={
                "type": ["integer", "null"],
                "description": "The epoch of a better model that the run has by now; the server goes on with its own.",
            },
            network=text,
            image_size=whole,
            computes=text,
            accuracy=_object(value=share, low=share, high=share, images=whole),
            calibration={"type": ["object", "null"]},
            threshold=_object(
                value=share, chosen={"type": "boolean"}, wanted_accuracy={"type": ["number", "null"]}
            ),
            tells_strangers={"type": "boolean"},
            classes={"type": "array", "items": _object(**named)},
        ),
        "Refusal": _object(error=text, fix=text),
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties}
