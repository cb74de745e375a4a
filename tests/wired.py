"""A page of a dashboard without a browser: its socket, by the protocol that a browser speaks, and the files sent to it."""

from __future__ import annotations

import urllib.error
import urllib.request

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

from tests.dashboards import Dashboard

_FORM = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.txt"\r\n\r\nwords\r\n--x--\r\n'


def open_socket(dashboard: Dashboard, cookie: str, page: str = "", **headers: str) -> ClientConnection:
    """Open the socket of a page of a session, the same page again where its id is given."""
    address = f"{dashboard.url.replace('http', 'ws', 1)}/_stcore/stream"
    told = {"Origin": dashboard.url, "Cookie": cookie, **_name(headers)}
    asked = [Subprotocol(one) for one in ("streamlit", "none", page)] if page else None
    return connect(
        address, additional_headers=told, subprotocols=asked, proxy=None, compression=None, max_size=None
    )


def find_page(socket: ClientConnection) -> str:
    """Let the page be drawn; return its id, which the server tells first."""
    drawn = BackMsg()
    drawn.rerun_script.query_string = ""
    socket.send(drawn.SerializeToString())
    while True:
        told = ForwardMsg()
        said = socket.recv(60)
        assert isinstance(said, bytes)
        told.ParseFromString(said)
        if told.WhichOneof("type") == "new_session":
            return str(told.new_session.initialize.session_id)


def send(dashboard: Dashboard, path: str, method: str, cookie: str, **headers: str) -> int:
    """Send a file as a page does, with the token against other sites; return the status of the answer."""
    token = _find_token(dashboard)
    told = {
        "Cookie": f"{cookie}; _streamlit_xsrf={token}",
        "X-Xsrftoken": token,
        "Content-Type": "multipart/form-data; boundary=x",
        **_name(headers),
    }
    request = urllib.request.Request(f"{dashboard.url}/{path}", _FORM, told, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answered:
            return int(answered.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def _find_token(dashboard: Dashboard) -> str:
    with urllib.request.urlopen(f"{dashboard.url}/_stcore/health", timeout=20) as answered:
        return str(answered.headers["set-cookie"]).partition(";")[0].partition("=")[2].strip('"')


def _name(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
