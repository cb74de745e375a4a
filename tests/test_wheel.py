"""The wheel as its user meets it: built from what git tracks, installed away from the checkout, started and used."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import urllib.request
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PathDistribution, packages_distributions
from pathlib import Path

import plotly
import psutil
import pytest

import core
from core.dataset.demo import MARKER, VERSIONS
from core.people.acting import ADMINISTER
from core.people.users import add_user
from core.runs import jobs
from core.runs.run import Run, iter_runs
from tests.processes import REPOSITORY, finish, make_images, train_words, wait_until

pytestmark = pytest.mark.slow(20)
PARTS = ("core", "dashboard")
Ended = subprocess.CompletedProcess[str]


def list_tracked(*folders: str) -> list[str]:
    """Return the files that git tracks, or would, below folders of the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    return sorted({name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()})


def read_requirements(name: str = "requirements.txt") -> list[str]:
    """Return the lines of a list of requirements that are no comment."""
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and the home of a user who is new to it."""

    place: Path

    @property
    def site(self) -> Path:
        return next(self.place.glob("lib/python*/site-packages"))

    @property
    def home(self) -> Path:
        return self.place / "home"

    @property
    def own(self) -> Path:
        return self.home / ".local" / "share" / "weakspot"

    def start(
        self, *words: str | Path, cwd: Path, by: Sequence[str] = (), **changes: str
    ) -> subprocess.Popen[str]:
        """Start `weakspot WORDS` in a folder, as its user does; `by` are words before, `changes` of the environment."""
        foreign = ("WEAKSPOT", "XDG", "PYTHON", "STREAMLIT")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        kept |= {
            "HOME": str(self.home),
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "STREAMLIT_SERVER_SCRIPT_HEALTH_CHECK_ENABLED": "true",  # a way to run a page without a browser
        }
        return subprocess.Popen(
            [*by, str(self.place / "bin" / "weakspot"), *map(str, words)],
            cwd=cwd, env=kept | changes, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def list_files(self) -> list[str]:
        """Return what lies in the installed package."""
        return sorted(p.relative_to(self.site).as_posix() for p in self.site.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    place = tmp_path_factory.mktemp("wheel")
    for name in list_tracked():
        (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, place / "source" / name)
    venv.create(place, symlinks=True)
    made = Installed(place)
    # What it depends on is here already. Another package whose name we use too, as anybody's environment may have it.
    (made.site / "here.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (made.site / "core.py").write_text("raise SystemExit('the wrong core')\n", encoding="utf-8")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(place / "bin" / "python"),
        "--disable-pip-version-check",
    ]
    how = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--no-compile"]
    subprocess.run([*pip, "install", *how, str(place / "source")], check=True)
    yield made
    shutil.rmtree(made.own, ignore_errors=True)  # a checkpoint is large


@dataclass(frozen=True)
class FirstDay:
    """What came of the first things a user did after installing it."""

    server: Ended
    healthy: bytes
    page: bytes
    script: bytes
    library: bytes
    first_run: Run
    job: list[str]
    demo: Ended
    trained: Ended
    added: list[str]


@pytest.fixture(scope="module")
def day(installed: Installed) -> FirstDay:
    folder, before = installed.place / "folder", installed.list_files()
    # Whatever lies where it is started is not ours to run or to obey.
    for name in PARTS:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(
            f"raise SystemExit('the wrong {name}')\n", encoding="utf-8"
        )
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "wrong"\n', encoding="utf-8")
    glyphs = installed.own / "data" / "glyphs"  # as if made by an earlier start, which takes seconds
    make_images(glyphs)
    (glyphs / MARKER).write_text(
        json.dumps({"name": "glyphs", "version": VERSIONS["glyphs"]}), encoding="utf-8"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def get(path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
            return bytes(answer.read())

    def answers() -> bool:
        assert server.poll() is None, server.communicate()
        try:
            return bool(get("_stcore/health"))
        except OSError:
            return False

    demo = installed.start("demo", "digits", "digits", cwd=folder)
    server = installed.start("run", "--port", str(port), cwd=folder)
    try:
        wait_until(answers, "the dashboard answers", 120)
        (run,) = iter_runs(installed.own / "checkpoints")
        wait_until(lambda: run.read_status().state == "running", "the first training has its turn", 60)
        job = psutil.Process(run.read_status().pid)
        words = job.cmdline()
        job.kill()
        pages = [get(path) for path in ("_stcore/health", "", "_stcore/script-health-check")]
        library = get(f"app/library/plotly-{plotly.__version__}.min.js")
        server.send_signal(signal.SIGINT)
    finally:
        ended = finish(server, 60)
    images = make_images(installed.place / "images")
    trained = finish(installed.start(*train_words(images, "tiny", epochs=1), cwd=folder))
    added = [name for name in installed.list_files() if name not in before]
    healthy, page, script = pages
    return FirstDay(ended, healthy, page, script, library, run, words, finish(demo), trained, added)


def test_the_wheel_holds_all_that_git_tracks_and_nothing_else(installed: Installed) -> None:
    (record,) = installed.site.glob("weakspot-*.dist-info")
    listed = {str(file) for file in PathDistribution(record).files or ()}
    code = {name for name in listed if name.startswith("weakspot/")}
    tracked = {f"weakspot/{name}" for name in list_tracked(*PARTS)} | set(list_tracked("weakspot"))
    assert code == tracked
    beside = {name for name in listed - code if not name.startswith(record.name)}
    assert [Path(name).name for name in beside] == ["weakspot"]  # the command
    assert {f"{record.name}/licenses/{name}" for name in ("LICENSE", "NOTICE")} <= listed


def test_the_wheel_depends_on_what_requirements_txt_lists(installed: Installed) -> None:
    (record,) = installed.site.glob("weakspot-*.dist-info")
    metadata = PathDistribution(record).metadata
    assert (metadata["Version"], metadata["License-Expression"]) == (core.__version__, "Apache-2.0")
    told = [re.sub(r"\s", "", line) for line in metadata.get_all("Requires-Dist", [])]
    extra = [line.removesuffix(';extra=="provider"') for line in told if "extra==" in line]
    assert [line for line in told if "extra==" not in line] == [
        re.sub(r"\s", "", line) for line in read_requirements()
    ]
    assert extra == read_requirements("requirements-provider.txt")


def test_requirements_txt_lists_every_package_that_is_imported() -> None:
    names = {re.split(r"[=;\s]", line)[0].lower() for line in read_requirements()}
    names |= {"mlflow-skinny", "wandb"}  # asked for by whoever chooses them as a tracker, and missed in words
    found = packages_distributions()
    for path in [REPOSITORY / name for name in list_tracked(*PARTS) if name.endswith(".py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if path.name == "trackio_end.py" and "trackio" in ast.dump(node):
                continue  # it runs in an environment of its own
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for module in (
                {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names) - set(PARTS)
            ):
                owners = {owner.lower().replace("_", "-") for owner in found[module]}
                assert owners & names, f"{path} imports {module}"


def test_wherever_requirements_are_installed_their_own_requirements_are_pinned_too() -> None:
    """The wheel takes its dependencies from requirements.txt, where a line `-c constraints.txt` may not stand."""
    assert [line for line in read_requirements() if line.startswith("-")] == []
    calls = re.findall(r"pip install .*", (REPOSITORY / "Makefile").read_text(encoding="utf-8"))
    assert calls
    assert all("-c constraints.txt" in call or "--no-deps" in call for call in calls)


def test_the_dashboard_opens_and_says_where_and_how_it_is_ended(day: FirstDay, installed: Installed) -> None:
    told = day.server.stdout
    assert re.search(
        r"^Open http://127\.0\.0\.1:\d+ in a browser\. Ctrl-C ends the dashboard", told, re.MULTILINE
    )
    assert told.endswith("The dashboard has ended. Trainings continue.\n")
    assert f"Runs: {installed.own / 'checkpoints'}\n" in told
    assert (day.server.returncode, day.server.stderr) == (0, "\n")


def test_its_first_page_and_its_library_come_over_http(day: FirstDay) -> None:
    assert (day.healthy, day.script) == (b"ok", b"ok")
    assert b'<div id="root">' in day.page
    original = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    assert day.library == original.read_bytes()


def test_its_first_training_is_the_installed_program_in_a_process_of_its_own(
    day: FirstDay, installed: Installed
) -> None:
    assert day.job[1:] == [
        str(installed.site / "weakspot" / "__main__.py"),
        "task",
        str(day.first_run.folder),
    ]


def test_commands_work_where_they_are_given(day: FirstDay, installed: Installed) -> None:
    assert (day.demo.returncode, day.demo.stdout) == (0, "digits\n")
    assert len(list((installed.place / "folder/digits/train").iterdir())) == 10
    assert (day.trained.returncode, day.trained.stdout) == (0, "tiny\n"), day.trained.stderr
    run = Run(installed.own / "checkpoints" / "tiny")
    assert (run.read_status().state, run.best_path.is_file()) == ("finished", True)


def test_nothing_is_written_where_the_code_is_installed(day: FirstDay) -> None:
    assert day.added == []


# The container: a daemon that could build it is not everywhere, so what it is made of and what it runs are tried here.

DEPLOY = REPOSITORY / "deploy"


def read_dockerfile() -> dict[str, list[str]]:
    """Return the words after each instruction of the Dockerfile, in their order."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            found.setdefault(name, []).append(rest.strip())
    return found


def test_the_dockerfile_has_no_mistake_that_hadolint_knows() -> None:
    told = subprocess.run(
        [str(Path(sys.executable).with_name("hadolint")), str(DEPLOY / "Dockerfile")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (told.returncode, told.stdout) == (0, "")


def test_the_image_gets_all_that_the_wheel_is_made_of() -> None:
    copied = {word for line in read_dockerfile()["COPY"] for word in line.split()[:-1]}
    assert all((REPOSITORY / name).exists() for name in copied)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert copied == {name[1:] for name in ignored if name.startswith("!")}
    assert {
        *PARTS,
        "weakspot",
        "pyproject.toml",
        "requirements.txt",
        "README.md",
        "LICENSE",
        "NOTICE",
    } <= copied
    installs = [line for line in read_dockerfile()["RUN"] if "pip install" in line]
    assert all("-c constraints.txt" in line or "--no-deps" in line for line in installs)


def test_the_compose_file_says_nothing_that_compose_does_not_know(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text(encoding="utf-8").replace("shm_size", "shared"))
    check = [
        str(Path(sys.executable).with_name("check-jsonschema")),
        "--builtin-schema",
        "vendor.compose-spec",
    ]
    known, unknown = (
        subprocess.run([*check, str(file)], check=False, capture_output=True, text=True)
        for file in (DEPLOY / "compose.yaml", wrong)
    )
    assert known.returncode == 0, known.stdout
    assert "'shared' was unexpected" in unknown.stdout


def become(docker: dict[str, list[str]], volume: Path) -> list[str]:
    """Return the words before a command that make its process the image's user, and give that user the volume.

    It may read what root may, since what is installed here need not be open to others, but write what it owns alone. Without
    root's rights the user is our own, and there are no words.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        return []
    user = docker["USER"][0]
    for path in (volume, *volume.rglob("*")):
        os.chown(path, int(user), int(user))
    reads = [f"--{kind}-caps=-all,+dac_read_search" for kind in ("inh", "ambient")]
    return [setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups", *reads, "--no-new-privs"]


def test_what_the_container_runs_serves_from_its_volume_alone_as_its_own_user(
    installed: Installed, tmp_path: Path
) -> None:
    docker, before = read_dockerfile(), installed.list_files()
    values = dict(word.split("=", 1) for line in docker["ENV"] for word in line.split())
    own = {name: str(tmp_path) for name, value in values.items() if value == docker["VOLUME"][0]}
    assert own.keys() == {"XDG_DATA_HOME", "HOME"}
    assert json.loads(docker["ENTRYPOINT"][0]) == ["weakspot"]
    command = json.loads(docker["CMD"][0])
    refused = finish(installed.start(*command, cwd=tmp_path, by=become(docker, tmp_path), **own), 60)
    assert refused.returncode == 2
    assert "nobody can sign in yet. Add the first user: weakspot users add" in refused.stderr
    add_user(tmp_path / "weakspot" / "users.json", "ada", ADMINISTER, "correct horse battery")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = installed.start(
        *command,
        "--port",
        str(port),
        cwd=tmp_path,
        by=become(docker, tmp_path),
        WEAKSPOT_BASE_PATH="/lab",
        **own,
    )
    check = json.loads(docker["HEALTHCHECK"][0].partition("CMD ")[2])[-1].replace("8501", str(port))
    try:
        wait_until(lambda: _is_healthy(check), "the container is healthy", 120)
    finally:
        server.send_signal(signal.SIGINT)
        ended = finish(server, 60)
    assert f"Runs: {tmp_path / 'weakspot' / 'checkpoints'}\n" in ended.stdout
    for run in iter_runs(tmp_path / "weakspot" / "checkpoints"):
        jobs.kill(run)  # the demo
        assert run.folder.stat().st_uid == tmp_path.stat().st_uid  # the image's user, where it could be that
    assert installed.list_files() == before


def _is_healthy(check: str) -> bool:
    environment = os.environ | {"WEAKSPOT_BASE_PATH": "/lab"}
    asked = subprocess.run([sys.executable, "-c", check], check=False, capture_output=True, env=environment)
    return asked.returncode == 0
