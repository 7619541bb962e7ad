"""The words of isolation that callers use and views show."""

from __future__ import annotations

from claude_pool.domain.isolation import Isolation, Kept, Merge, Obstacle, Workplace


def test_isolation_and_merge_are_named_as_callers_name_them() -> None:
    assert [kind.value for kind in Isolation] == ["none", "worktree", "clone"]
    assert [how.value for how in Merge] == ["none", "ff", "merge"]


def test_obstacles_have_names_of_their_own() -> None:
    assert {obstacle.value for obstacle in Obstacle} == {
        "conflict", "diverged", "no_target", "unsaved", "locked", "moved",
    }  # fmt: skip


def test_what_is_kept_is_complete_unless_it_says_otherwise() -> None:
    assert Kept("claude-pool/chain-a", "b" * 40, "c" * 40, 1, "diff").complete
    assert Workplace("a", "worktree", "/w", "/w", "/r/.git", "claude-pool/a", "b" * 40, "main").notes == ()
