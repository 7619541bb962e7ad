"""What a report shows, gathered from a log: the pool, its lanes and lines, its chains and tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from claude_pool.domain.chain_board import ChainCard
from claude_pool.domain.errors import NotFound
from claude_pool.domain.pool_status import pool_status
from claude_pool.domain.records import Recorded
from claude_pool.domain.story import story
from claude_pool.domain.task_board import TaskCard
from claude_pool.domain.timeline import Bar, Sample, Span, Timeline, thinned
from claude_pool.domain.values import Text, kind_of

from ..places import Places
from ..reading import LogReader
from ..share import Share
from ..views import View, status_view
from .transcripts import told

SAMPLES = 2_000
"""So many points have the lines of queue and money at most."""

TEXT_LENGTH = 4_000
TEXTS_LENGTH = 8_000_000
BRIEF_LENGTH = 300
"""Of longer prompts and outputs a report of a whole log shows the beginning. Once all of them together
have come to `TEXTS_LENGTH` characters, of tasks that failed first, then of the latest, the rest are brief."""

TRANSCRIPT_LENGTH = 4_000
TRANSCRIPTS_LENGTH = 2_000_000
"""So many characters of an attempt's transcript, and of all of them together, has a report of a whole log:
first of those that failed, then of the latest."""

WHOLE = 1_000_000
"""The same bounds for the report of one task or chain: practically none."""

Progress = Callable[[str], None]


def gather(reader: LogReader, places: Places, subject: str | None, say: Progress) -> View:
    """Everything that the page shows, as JSON values: of the whole log, or of one task or chain.

    Raises:
        NotFound: there is no such task or chain. LogBroken: the log cannot be read to its end.
    """
    line, stories = Timeline(), _Stories(subject, reader)
    end = reader.end()
    for recorded in reader.events():
        if recorded.position % 10_000 == 0:
            say(Share("reading", recorded.position, end, "events"))
        line.observe(
            recorded.position, recorded.stream, recorded.version, recorded.event, recorded.meta.recorded_at
        )
        stories.take(recorded)
    chains, tasks = _chains(reader, subject), _tasks(reader, subject)
    say(f"gathering {len(tasks)} tasks")
    status = pool_status(line.world, "")
    known = {card.task_id for card in tasks}
    bars = [bar for bar in line.bars.values() if subject is None or bar.task_id in known]
    return {
        "subject": subject,
        "pool": line.world.open_pool().pool_id,
        "status": status_view(status),
        "from": line.samples[0].at if line.samples else 0,
        "to": line.last,
        "position": line.world.position,
        "samples": [_sample_view(sample) for sample in thinned(line.samples, SAMPLES)],
        "spans": [_span_view(span) for span in (*line.spans, *line.open_spans())],
        "slots": _lanes(bars, status_view(status)["slots"]),
        "bars": [_bar_view(bar) for bar in bars],
        "chains": [_chain_view(card, stories) for card in chains],
        "tasks": _task_views(tasks, bars, stories, reader, Path(places.transcripts), subject is not None),
    }


class _Stories:
    """The sentences of `why`, by what they are about."""

    def __init__(self, subject: str | None, reader: LogReader) -> None:
        self._wanted: set[str] | None = None
        if subject is not None:
            steps = reader.chain_card(subject).steps if kind_of(subject) == "chain" else ()
            self._wanted = {subject, *(step.task_id for step in steps if step.task_id is not None)}
        self._found: dict[str, list[list[object]]] = defaultdict(list)

    def take(self, recorded: Recorded) -> None:
        stream = recorded.stream
        wanted = kind_of(stream) in ("task", "chain") if self._wanted is None else stream in self._wanted
        if wanted:
            (reason,) = story((recorded,))
            said: list[object] = [
                reason.position,
                reason.at,
                reason.actor,
                reason.cause,
                reason.text[:TEXT_LENGTH],
            ]
            self._found[stream].append(said)

    def of(self, stream: str) -> list[list[object]]:
        return self._found.get(stream, [])


def _chains(reader: LogReader, subject: str | None) -> list[ChainCard]:
    if subject is None:
        return list(reader.chain_cards())
    return [reader.chain_card(subject)] if kind_of(subject) == "chain" else []


def _tasks(reader: LogReader, subject: str | None) -> list[TaskCard]:
    match kind_of(subject) if subject is not None else None:
        case None if subject is None:
            return list(reader.task_cards())
        case "task":
            return [reader.task_card(str(subject))]
        case "chain":
            steps = {step.task_id for step in reader.chain_card(str(subject)).steps}
            cards = ((card, card.part) for card in reader.task_cards())
            return [
                card for card, part in cards if (part and subject == part.chain_id) or card.task_id in steps
            ]
        case _:
            hint = "`claude-pool tasks` and `claude-pool chain list` list what there is."
            raise NotFound(kind="task or chain", id=str(subject), hint=hint)


def _lanes(bars: list[Bar], slots: list[View]) -> list[View]:
    """One lane for each slot that is there or was used, in number order."""
    known = {slot["slot_id"]: slot for slot in slots}
    names = {bar.slot_id for bar in bars} | set(known)
    return [
        {"id": name, "name": known.get(name, {}).get("name"), "role": known.get(name, {}).get("role")}
        for name in sorted(names, key=lambda name: int(name.rpartition("-")[2]))
    ]


def _bar_view(bar: Bar) -> list[object]:
    return [bar.attempt, bar.slot_id, bar.started_at, bar.ended_at, bar.end, bar.code, bar.cost, bar.model]


def _sample_view(sample: Sample) -> list[object]:
    return [
        sample.at, sample.pending, sample.parked, sample.running, sample.asking, sample.spent,
        sample.reserved, sample.limit,
    ]  # fmt: skip


def _span_view(span: Span) -> View:
    return {"kind": span.kind, "from": span.began_at, "to": span.ended_at, "reason": span.reason}


def _chain_view(card: ChainCard, stories: _Stories) -> View:
    return {
        "id": card.chain_id,
        "state": card.state,
        "cost": card.cost,
        "error": None if card.error is None else f"[{card.error.code}] {card.error.message}",
        "branch": card.branch,
        "reason": card.reason,
        "fork": None if card.fork is None else f"{card.fork.chain_id} from {card.fork.step}",
        "steps": [
            {
                "name": step.name,
                "state": step.state,
                "task": step.task_id,
                "reused": step.source,
                "needs": list(step.needs),
                "cost": step.cost,
                "attempts": step.attempts,
            }
            for step in card.steps
        ],
        "story": stories.of(card.chain_id),
    }


def _task_views(
    cards: list[TaskCard],
    bars: list[Bar],
    stories: _Stories,
    reader: LogReader,
    transcripts: Path,
    whole: bool,
) -> list[View]:
    attempts: dict[str, list[str]] = defaultdict(list)
    for bar in bars:
        attempts[bar.task_id].append(bar.attempt)
    views: dict[str, View] = {}
    room, left = TEXTS_LENGTH, WHOLE if whole else TRANSCRIPTS_LENGTH
    latest_first = cards[::-1]
    for card in sorted(latest_first, key=lambda card: card.state == "completed"):
        most = WHOLE if whole else TEXT_LENGTH if room > 0 else BRIEF_LENGTH
        view = views[card.task_id] = _task_view(card, stories, reader, most)
        room -= len(view["prompt"]) + len(view["output"])
        found: list[list[str]] = []
        for attempt in attempts[card.task_id]:
            most = min(left, WHOLE if whole else TRANSCRIPT_LENGTH)
            text = told(transcripts / f"{attempt}.jsonl", most) if most > 0 else None
            if text:
                found.append([attempt, text])
                left -= len(text)
        view["transcripts"] = found
    return [views[card.task_id] for card in cards]


def _task_view(card: TaskCard, stories: _Stories, reader: LogReader, most: int) -> View:
    output = card.structured_output or card.output
    return {
        "id": card.task_id,
        "state": card.state,
        "prompt": _shown(card.prompt, reader, most),
        "output": "" if output is None else _shown(output, reader, most),
        "error": None if card.error is None else f"[{card.error.code}] {card.error.message}",
        "cost": card.cost,
        "estimated": card.cost_estimated,
        "tokens": card.tokens.total,
        "turns": card.turns,
        "elapsed": card.elapsed_ms,
        "waited": card.waited_ms,
        "model": card.model,
        "slot": card.slot_id,
        "session": card.session_id,
        "attempts": card.attempts,
        "tags": list(card.tags),
        "skill": card.skill,
        "reason": card.reason,
        "chain": None if card.part is None else card.part.chain_id,
        "step": None if card.part is None else card.part.step,
        "story": stories.of(card.task_id),
    }


def _shown(text: Text, reader: LogReader, most: int) -> str:
    if text.blob is not None and text.size > 4 * most:
        return f"{text.head or ''}… ({text.size} bytes)"
    whole = reader.text(text)
    return whole if len(whole) <= most else f"{whole[:most]}… ({text.size} bytes)"
