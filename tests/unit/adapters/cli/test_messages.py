"""`send` and `messages`, with a real owner and after it has gone."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import a_shell


def test_messages_are_sent_shown_and_taken(tmp_path: Path) -> None:
    with a_shell(tmp_path) as shell:
        sent = shell.json("send", "coordinator", "Done.", "--from", "slot-0")
        assert (sent["from"], sent["to"], sent["state"]) == ("slot-0", "coordinator", "waiting")
        assert shell.run("send", "all", "Mind the gap.").startswith("msg-")
        shell.run("stop")
        (shown,) = shell.json("messages", "slot-0")["messages"]
        assert (shown["content"], shown["state"]) == ("Mind the gap.", "waiting")
        assert "not_found" in shell.run("messages", "slot-7", code=2)
        assert shell.json("messages", "slot-0", "--read")["messages"][0]["state"] == "read"
        table = shell.run("messages", "slot-0")
        assert "coordinator" in table and "read" in table and "Mind the gap." in table
