"""Django's own tests, of the installed version, for `tests/contract/`.

They are not in Django's wheel, and other people's code is not committed here: the first test run
takes them out of the source distribution, which pip fetches from wherever it fetches everything
else, into `.cache/django-<version>/`. `TIERCACHE_DJANGO_TESTS` may name an unpacked source tree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django

CACHE = Path(__file__).resolve().parents[2] / ".cache"
SECONDS = 120

TAKEN = (
    "cache/",
    "sessions_tests/",
    "template_tests/__init__.py",
    "template_tests/utils.py",
    "template_tests/templatetags/",
    "template_tests/syntax_tests/__init__.py",
    "template_tests/syntax_tests/test_cache.py",
)
"""What is unpacked: the tests that are run, and what they import."""

NEEDED = ("cache/tests.py", "cache/tests_async.py", "sessions_tests/tests.py", TAKEN[-1])

LEFT_OUT = (
    f"Django's own cache tests were left out: the source of Django {django.__version__}"
    " could not be fetched; set TIERCACHE_DJANGO_TESTS to an unpacked one to run them"
)


def path() -> Path | None:
    """Return the directory that holds Django's test packages, fetched if need be, or None."""
    if named := os.environ.get("TIERCACHE_DJANGO_TESTS"):
        return _checked(Path(named))
    home = CACHE / f"django-{django.__version__}"
    if not _complete(home):
        _fetch(home)
    return home if _complete(home) else None


def _checked(tree: Path) -> Path:
    """Return the tests of an unpacked source tree, which must be the installed Django's."""
    tests = tree / "tests" if (tree / "tests").is_dir() else tree
    information = tree / "PKG-INFO"
    if not _complete(tests):
        raise FileNotFoundError(f"TIERCACHE_DJANGO_TESTS: no Django tests in {tree}")
    if information.exists() and f"\nVersion: {django.__version__}\n" not in information.read_text():
        raise ValueError(f"TIERCACHE_DJANGO_TESTS: {tree} is not Django {django.__version__}")
    return tests


def _complete(tests: Path) -> bool:
    return all((tests / name).is_file() for name in NEEDED)


def _fetch(home: Path) -> None:
    """Download and unpack beside the target, then rename: two runs at once do no harm."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetch-") as scratch:
        directory = Path(scratch)
        # pip prepares the metadata of a source distribution, and takes a few seconds for that;
        # in exchange its configuration (index, proxy, certificates) holds here as well.
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "1",
             "--timeout", "15", "--no-binary", "django", "--dest", scratch,
             f"django=={django.__version__}"],
            check=False, capture_output=True, timeout=SECONDS,
        )  # fmt: skip
        archives = list(directory.glob("[dD]jango-*.tar.gz"))
        if done.returncode or not archives:
            return
        _unpack(archives[0], directory / "tests")
        if _complete(directory / "tests") and not _complete(home):
            shutil.rmtree(home, ignore_errors=True)
            try:
                (directory / "tests").rename(home)
            except OSError:
                if not _complete(home):
                    raise


def _unpack(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as tar:
        root = tar.getnames()[0].partition("/")[0]
        if root.lower() != f"django-{django.__version__}":
            raise ValueError(f"{archive.name} is not Django {django.__version__}")
        for member in tar:
            name = member.name.removeprefix(f"{root}/tests/")
            if name != member.name and member.isfile() and name.startswith(TAKEN):
                content = tar.extractfile(member)
                assert content is not None
                place = target / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read())
