"""The digests of what a process is told of its directory."""

from __future__ import annotations

from claude_pool.adapters.surroundings import ProjectTexts


class Files:
    """Texts by directory that change, and how often each was read."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.reads: list[str] = []

    def read(self, directory: str) -> str | None:
        self.reads.append(directory)
        return self.texts.get(directory)


def test_a_pass_reads_a_directory_once_and_only_when_it_is_asked_for() -> None:
    files = Files()
    digests = ProjectTexts(files.read, lambda: "account").digests()
    assert files.reads == []
    assert digests["/a"] == digests["/a"]
    assert files.reads == ["/a"]


def test_the_next_pass_sees_a_changed_text() -> None:
    files = Files()
    texts = ProjectTexts(files.read, lambda: "account")
    before = texts.digests()["/a"]
    files.texts["/a"] = "Be brief."
    assert texts.digests()["/a"] != before
    assert texts.text("/a") == "Be brief."


def test_another_account_makes_another_digest() -> None:
    account = ["one"]
    texts = ProjectTexts(Files().read, lambda: account[0])
    before = texts.digests()["/a"]
    account[0] = "two"
    assert texts.digests()["/a"] != before


def test_the_text_of_a_launch_is_the_one_its_digest_was_made_of() -> None:
    files = Files()
    files.texts["/a"] = "Be brief."
    texts = ProjectTexts(files.read, lambda: "account")
    assert texts.digests()["/a"]
    files.texts["/a"] = "Be thorough."
    assert texts.text("/a") == "Be brief."


def test_there_is_no_digest_of_no_directory() -> None:
    digests = ProjectTexts(Files().read, lambda: "account").digests()
    assert digests.get("", "none") == "none"
    assert len(digests) == 0
