"""What the page keeps of its explanations, and which commands it suggests."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.apis import settings_for
from zdemo.config.environment import Environment
from zdemo.diagnosis import Finding
from zdemo.page import PageOptions
from zdemo.page.explanations import KEPT_SECONDS, Explanations
from zdemo.page.why import why_document

GRANT = "zdemo role grant reader read:messages"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Explained:
    """Explains, and counts how often."""

    count = 0

    def __call__(self) -> dict[str, Any]:
        self.count += 1
        return {"sentence": str(self.count)}


def test_an_explanation_is_used_again_until_it_is_old() -> None:
    clock, explain = Clock(), Explained()
    found = Explanations(clock)
    assert [found.kept("a", explain), found.kept("a", explain)] == [{"sentence": "1"}, {"sentence": "1"}]
    assert found.kept("b", explain) == {"sentence": "2"}
    clock.now = KEPT_SECONDS
    assert found.kept("a", explain) == {"sentence": "3"}
    assert found.new("a", explain) == {"sentence": "4"}
    assert found.kept("a", explain) == {"sentence": "4"}


def test_a_change_ends_all_also_one_that_is_being_found() -> None:
    found, explain = Explanations(), Explained()
    found.kept("a", explain)
    found.clear()
    assert found.kept("a", explain) == {"sentence": "2"}

    def explain_during_a_change() -> dict[str, Any]:
        found.clear()
        return explain()

    assert found.new("a", explain_during_a_change) == {"sentence": "3"}
    assert found.kept("a", explain) == {"sentence": "4"}


def test_where_the_env_file_is_missing_the_step_that_writes_it_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "emulator.env"
    init = f"zdemo init --emulator --emulator-port 8731 --env-file {file}"
    options = PageOptions(
        key="k" * 24,
        api_url="http://127.0.0.1:5731",
        settings=settings_for("http://localhost:8731"),
        environment=Environment({}),
        steps_file=file,
        file_step=init,
    )
    granting = GRANT.replace("grant", f"grant --env-file {file}")
    finding = Finding(id="", cause="a cause", fix=(GRANT,))
    assert why_document(finding, "", options)["fix"] == [init, granting]
    assert why_document(replace(finding, fix=("press it",)), "", options)["fix"] == ["press it"]
    file.touch()
    assert why_document(finding, "", options)["fix"] == [granting]
