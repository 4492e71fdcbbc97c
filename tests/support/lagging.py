"""An emulator whose reads trail its writes, as a busy ZITADEL's do, for as long as a test wants."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from zdemo.emulator import World, create_app, known_world
from zdemo.serving.embedded import serving

READS = ("Get", "List")  # how the names of the methods that only read begin


@dataclass
class Lagging:
    """``methods`` are the names of those that were called since the latest ``freeze``, oldest first."""

    world: World = field(default_factory=known_world)
    methods: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self._app = create_app(self.world)
        self._reads = self._app

    def freeze(self) -> None:
        """From now on, reads show the state of now, whatever is written."""
        world = copy.copy(self.world)
        kept = {name: copy.deepcopy(value) for name, value in vars(world).items() if isinstance(value, dict | set)}
        vars(world).update(kept)
        self._reads = create_app(world)
        self.methods.clear()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        method = environ["PATH_INFO"].rpartition("/")[2]
        if environ["PATH_INFO"].startswith("/zitadel."):
            self.methods.append(method)
        return (self._reads if method.startswith(READS) else self._app)(environ, start)


@contextmanager
def lagging() -> Iterator[Lagging]:
    zitadel = Lagging()
    with serving(zitadel) as port:
        zitadel.url = f"http://localhost:{port}"
        yield zitadel
