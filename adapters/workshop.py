"""How slots are made: from which CLI, with what environment, and at what prices."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from claude_pool.domain.funding import Quote
from claude_pool.domain.ports import SlotDriver, SlotFailure
from claude_pool.domain.prices import PriceList

from .claude import locate
from .claude.driver import ClaudeDriver, DriverSettings
from .claude.locate import Cli
from .claude.missing import NoCliDriver
from .claude.price_file import price_list
from .config.settings import pool_depth
from .redaction import Secrets


@dataclass(frozen=True)
class Workshop:
    """Which CLI and environment slots have, what they may load of a project, what tokens cost.

    `secrets` are kept out of what the pool writes down; None: those of `environ`. No attempt starts while
    less than `min_free_disk_mb` is free beside the transcripts, no process while one more would leave less
    than `min_free_memory_mb` of memory.
    """

    claude: str | None
    environ: Mapping[str, str]
    runtime_dir: Path
    pass_env: tuple[str, ...] = ()
    trust_project: bool = False
    prices: PriceList = field(default_factory=price_list)
    secrets: Secrets | None = None
    max_depth: int = 1
    min_free_disk_mb: int = 0
    min_free_memory_mb: int = 0

    def quote(self, model: str | None, context: int, permission_mode: str | None) -> Quote:
        """What a call to a model costs, at least and at worst."""
        return Quote(
            self.prices.least_call(model, context, permission_mode),
            self.prices.next_call(model, context, permission_mode),
        )

    def driver(
        self, pool_id: str, transcripts: Path, silence_ms: int, secrets: Secrets
    ) -> tuple[SlotDriver, Cli | None]:
        """The driver of the CLI that is found, or one that says that none is."""
        try:
            cli = locate.locate(self.claude, self.environ)
        except SlotFailure as failure:
            return NoCliDriver(failure, lambda: locate.locate(self.claude, self.environ)), None
        settings = DriverSettings(
            cli=cli,
            pool=pool_id,
            environ=self.environ,
            runtime_dir=self.runtime_dir,
            transcripts_dir=transcripts,
            prices=self.prices,
            pass_env=self.pass_env,
            depth=pool_depth(self.environ) + 1,
            max_depth=self.max_depth,
            trust_project=self.trust_project,
            silence_ms=silence_ms,
            secrets=secrets,
        )
        return ClaudeDriver(settings), cli

    def account(self, cli: Cli | None) -> str:
        """A digest of what decides whose account slots use and what they load."""
        names = sorted(n for n in self.environ if n.startswith(("ANTHROPIC_", "CLAUDE_CONFIG", "HOME")))
        values = [f"{name}={self.environ[name]}" for name in (*names, *self.pass_env) if name in self.environ]
        text = "\0".join([*values, str(self.trust_project), cli.path if cli else ""])
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
