"""CONTRIBUTING's recipe for a new kind of channel, followed to the letter in a copy of the package.

The copy is the proof: what this does to it is all that a new kind needs.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functions.environment import NOTIFY

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "core" / "python"
TELLS_A_PAGE = """
import json
from dataclasses import replace

from reflexarc.adapters.sqs.wake_ups import SqsWakeUps
from reflexarc.events.notice import Channel
from reflexarc.incidents.config import ChannelConfig
from reflexarc.runtime.senders import senders
from reflexarc.runtime.settings import NotifySettings
from tests.support.delivery import Office
from tests.support.notices import member, notice, page, wake_up

class Queues:
    def send_message_batch(self, *, QueueUrl, Entries):
        woken.append(QueueUrl)
        return {}

woken = []
console = Channel(**ChannelConfig(name="terminal", kind="console").model_dump())
office = Office()
service = replace(office.service(), senders=senders(NotifySettings.load()))
for state in ("open", "acked", "resolved"):
    about = page(state=state, channels=(console,))
    office.tell(about)
    group = notice(console, about).group
    SqsWakeUps(Queues(), {"slack": "slack-queue"}, others="others-queue").wake([group])
    (outcome,) = service.handle([wake_up(group)])
    assert outcome.status == "done", outcome
(receipt,) = office.book.store.receipts.values()
print(json.dumps({"owed": office.owed(), "woken": woken, "state": receipt.state}))
"""


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the package that knows one more kind of channel."""
    reflexarc = tmp_path / "reflexarc"
    shutil.copytree(PACKAGE / "reflexarc", reflexarc, ignore=shutil.ignore_patterns("__pycache__"))
    # 1. One file: what to tell next, and how.
    (reflexarc / "adapters" / "console").mkdir()
    (reflexarc / "adapters" / "console" / "__init__.py").write_text('"""A terminal."""\n')
    shutil.copy(
        ROOT / "samples" / "new_channel" / "console.py",
        reflexarc / "adapters" / "console" / "sender.py",
    )
    # 2. Its name, where configurations and schemas take it from.
    edit(reflexarc / "events" / "notice.py", '"webhook", "sns"]', '"webhook", "sns", "console"]')
    # 3. Its line among the senders.
    wiring = reflexarc / "runtime" / "senders.py"
    edit(
        wiring,
        "from reflexarc.adapters.http.pool import HttpPool\n",
        "from reflexarc.adapters.console.sender import ConsoleSender\n"
        "from reflexarc.adapters.http.pool import HttpPool\n",
    )
    edit(
        wiring,
        '    "sns": _sns,\n',
        '    "sns": _sns,\n    "console": lambda _: ConsoleSender(),\n',
    )
    return tmp_path


def run(copy: Path, program: str) -> list[str]:
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **NOTIFY, "PYTHONPATH": f"{copy}:{ROOT}"},  # noqa: TID251
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_new_kind_of_channel_is_one_file_and_two_lines(copy: Path) -> None:
    *told, facts = run(copy, TELLS_A_PAGE)

    where = "XID 79: GPU has fallen off the bus · GPU 0000:01:00 on node-7"
    assert told == [f"[open] {where}", f"[acked] {where}", f"[resolved] {where}"]
    assert json.loads(facts) == {
        "owed": 0,
        "woken": ["others-queue"] * 3,
        "state": "resolved",
    }


def test_the_copy_is_what_was_run_and_the_package_itself_does_not_know_the_kind(copy: Path) -> None:
    program = "from reflexarc.events import notice; print(notice.__file__)"

    assert run(copy, program) == [str(copy / "reflexarc" / "events" / "notice.py")]
    assert "console" not in (PACKAGE / "reflexarc" / "events" / "notice.py").read_text()


def test_the_recipe_names_every_step_that_was_taken() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipe = contributing.split("### A new destination for alerts\n")[1].split("\n### ")[0]

    for step in ("adapters/<kind>/sender.py", "events/notice.py", "runtime/senders.py"):
        assert step in recipe
    assert "samples/new_channel/console.py" in recipe
