"""What the page keeps of its explanations, and which commands it suggests."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.apis import settings_for
from zdemo.config.environment import Environment
from zdemo.diagnosis import Finding
from zdemo.page import PageOptions
from zdemo.page.context import KEPT_SECONDS, Explanations
from zdemo.page.explanations import why_document

GRANT = "zdemo role grant reader read:messages"


def test_an_explanation_is_used_again_until_it_is_old_or_something_changes() -> None:
    now, numbers = [0.0], count(1)
    found = Explanations(lambda: now[0])

    def explained(key: str = "a", *, anew: bool = False, during: Callable[[], None] = lambda: None) -> int:
        def explain() -> dict[str, Any]:
            during()
            return {"sentence": next(numbers)}

        return (found.get(key, explain, anew=anew) or {})["sentence"]  # type: ignore[no-any-return]

    assert [explained(), explained(), explained("b"), explained()] == [1, 1, 2, 1]
    now[0] = KEPT_SECONDS
    assert [explained(), explained(anew=True), explained()] == [3, 4, 4]
    found.clear()
    assert [explained(), explained(anew=True, during=found.clear), explained()] == [5, 6, 7]


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
