"""What is published: the same bytes each time, with the right content, installed by four programs on each Python."""

import json
import re
import shutil
import sys
import tarfile
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.processes import ROOT, run_online
from tests.test_packaging import PINNED, PROJECT, REQUIREMENTS
from zdemo import __version__

pytestmark = pytest.mark.thorough


@cache
def sources() -> list[str]:
    """Return the files of the repository, which are those of an sdist too."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = run_online("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


def copied(folder: Path) -> Path:
    for name in sources():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_a_release_is_the_same_bytes_twice_and_has_all_that_is_needed(tmp_path: Path) -> None:
    built = []
    here = copied(tmp_path / "here" / "zdemo")
    (here / ".env").write_text("PAT=secret\n")
    for folder, mask in ((shutil.copytree(here, tmp_path / "there" / "zdemo"), "077"), (here, "022")):
        run_online("sh", "-c", f"umask {mask} && make dist PYTHON={sys.executable}", folder=folder)
        built.append({path.name: path.read_bytes() for path in (folder / "dist").iterdir()})
    assert built[0].keys() == {f"zdemo-{__version__}-py3-none-any.whl", f"zdemo-{__version__}.tar.gz"}
    assert built[0] == built[1]

    wheel = next((here / "dist").glob("*.whl"))
    with ZipFile(wheel) as archive:
        about = f"zdemo-{__version__}.dist-info"
        of_zdemo = {name for name in sources() if name.startswith("zdemo/")}
        pages = {f"zdemo/{name}" for name in sources() if re.match("docs/(?!images/)", name)}
        infos = ["METADATA", "WHEEL", "RECORD", "entry_points.txt", "sboms/zdemo.cdx.json"]
        infos += ["licenses/LICENSE", "licenses/NOTICE"]
        assert {*archive.namelist()} == of_zdemo | pages | {f"{about}/{info}" for info in infos}
        components = json.loads(archive.read(f"{about}/sboms/zdemo.cdx.json"))["components"]
    names = {(re.sub("[-_.]+", "-", part["name"]).lower(), part["version"]) for part in components}
    assert names <= {*PINNED.findall(REQUIREMENTS)}
    declared = sum(PROJECT["project"]["optional-dependencies"].values(), PROJECT["project"]["dependencies"])
    assert {re.match(r"[\w-]+", text)[0].lower() for text in declared} <= {name for name, _ in names}  # type: ignore[index]
    with tarfile.open(wheel.with_name(f"zdemo-{__version__}.tar.gz")) as sdist:
        assert {path.partition("/")[2] for path in sdist.getnames()} == {*sources(), "PKG-INFO"}


@pytest.mark.parametrize(("number", "installer"), [*enumerate(("pip", "uv", "pipx", "uvx"))])
def test_each_installer_installs_a_zdemo_that_runs(number: int, installer: str, tmp_path: Path) -> None:
    """Each on another Python, as long as there are others."""
    pythons = run_online("make", "-s", "--eval", "names: ; @echo $(PYTHONS)", "names").split()
    python, uv, place = pythons[number % len(pythons)], (sys.executable, "-m", "uv"), tmp_path / installer
    sources = copied(tmp_path / "sources")
    run_online(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, folder=sources)
    (wheel,) = tmp_path.glob("*.whl")
    program: tuple[str | Path, ...] = (place / "bin" / "zdemo",)
    if installer == "pip":
        run_online(python, "-m", "venv", place, folder=tmp_path)
        run_online(place / "bin" / "pip", "install", "--quiet", wheel, folder=tmp_path)
    elif installer == "uv":
        run_online(*uv, "venv", "--quiet", "--python", python, place, folder=tmp_path)
        run_online(*uv, "pip", "install", "--quiet", "--python", place, wheel, folder=tmp_path)
        assert "11 of 11 as expected" in run_online(*program, "demo", folder=tmp_path)
    elif installer == "pipx":
        places = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(place / "bin")}
        run_online(*uv, "tool", "run", "pipx", "install", "--python", python, wheel, folder=tmp_path, **places)
    else:
        program = (*uv, "tool", "run", "--isolated", "--python", python, "--from", wheel, "zdemo")
    assert run_online(*program, "--version", folder=tmp_path) == f"zdemo {__version__}\n"
