"""The workplaces of one pool: `domain.isolation.Workplaces` on real git."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection, Generator, Mapping

from claude_pool.domain.errors import InvalidArgument, IsolationFailed, PoolError
from claude_pool.domain.isolation import Isolation, Kept, Landed, Merge, NotLanded, Swept, Workplace

from .clone import bring_back
from .command import Git, GitFailed
from .keeping import Saved, describe, note, save
from .landing import land
from .locks import held
from .making import delete_branch, delete_tree, fill, part_of, register, unregister
from .names import PREFIX, checked, free_branch, tip
from .records import Record, Records
from .source import Source, look


class GitWorkplaces:
    """See `domain.isolation.Workplaces`. Any number of threads may use one, and any number of processes."""

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        """Everything lies in the folder `root`; git gets the search path and the home from `environ`."""
        self._root = os.path.realpath(root)
        self._environ = environ
        self._records = Records(self._root)

    def create(self, name: str, kind: Isolation, source_dir: str, commit: str = "") -> Workplace:
        """See `Workplaces.create`."""
        if kind is Isolation.NONE:
            raise InvalidArgument(argument="isolation", problem="none makes no workplace")
        path = os.path.join(self._root, checked(name))
        with self._on(name), _refusing(f"The {kind} {name} cannot be made"):
            source = look(source_dir, self._environ, commit)
            record = self._records.read(name)
            if record is not None:
                self._check_same(record, kind, source)
                if (again := self._again(record, source)) is not None:
                    return again
            if os.path.lexists(path):
                raise IsolationFailed(
                    problem=f"{path} is in the way, and is none of ours.", hint="Move it elsewhere."
                )
            return self._anew(name, kind, source)

    def verify(self, source_dir: str, commit: str) -> None:
        """See `Workplaces.verify`."""
        with _refusing(f"{commit[:12]} cannot be looked for"):
            look(source_dir, self._environ, commit)

    def find(self, name: str) -> Workplace | None:
        """See `Workplaces.find`."""
        record = self._records.read(checked(name))
        return record.workplace if record is not None and record.made else None

    def note(self, name: str, label: str) -> str:
        """See `Workplaces.note`."""
        with self._on(name), _refusing(f"The work of {name} cannot be noted"):
            record = self._known(name)
            self._check_whole(record)
            at, git = record.workplace, self._git(record.workplace.repository)
            draft = os.path.join(self._root, f".index-{at.name}")
            ref = f"refs/{PREFIX}/{at.name}/steps/{label}"
            return note(git.at(record.git_dir, at.path), at.base, draft, ref)

    def keep(self, name: str) -> Kept:
        """See `Workplaces.keep`."""
        with self._on(name), _refusing(f"The work of {name} cannot be kept"):
            return self._keep(self._known(name))

    def land(self, workplace: Workplace, branch: str, how: Merge) -> Landed | NotLanded:
        """See `Workplaces.land`."""
        with _refusing(f"{branch} cannot be merged"), self._in(workplace.repository):
            return land(self._git(workplace.repository), workplace.target, branch, how)

    def remove(self, name: str) -> Kept:
        """See `Workplaces.remove`."""
        with self._on(name), _refusing(f"The workplace {name} cannot be removed"):
            record = self._known(name)
            kept = self._keep(record)
            if not kept.complete:
                raise IsolationFailed(
                    problem=f"{record.workplace.path} has what cannot be kept. {' '.join(kept.notes)}",
                    hint="Take from it what you need, then delete it yourself.",
                )
            self._delete(record, kept.branch)
            return kept

    def sweep(self, known: Collection[str]) -> tuple[Swept, ...]:
        """See `Workplaces.sweep`."""
        return tuple(self._swept(name) for name in self._records.names() if name not in known)

    def _swept(self, name: str) -> Swept:
        kept: Kept | None = None
        branch = ""
        try:
            with self._on(name), _refusing(f"The workplace {name} cannot be swept"):
                record = self._known(name)
                branch = record.workplace.branch
                if record.made:
                    kept = self._keep(record)
                    branch = kept.branch
                    if not kept.complete:
                        return Swept(name, branch, kept, False, " ".join(kept.notes))
                self._delete(record, branch)
        except PoolError as error:
            return Swept(name, branch, kept, False, error.message)
        return Swept(name, branch, kept, True)

    def _anew(self, name: str, kind: Isolation, source: Source) -> Workplace:
        path = os.path.join(self._root, name)
        with self._in(source.repository):
            branch = free_branch(source.git, name)
            at = Workplace(
                name, kind.value, path, os.path.join(path, source.prefix).rstrip("/"), source.repository,
                branch, source.base, source.target, source.notes,
            )  # fmt: skip
            record = Record(at, "", made=False)
            self._records.write(record)
            try:
                git_dir = register(source.git, at, self._environ)
            except BaseException:
                self._undo(record, source.git)
                raise
        try:
            fill(source.git, at, git_dir, self._environ)
        except BaseException:
            with self._in(source.repository):
                self._undo(record, source.git)
            raise
        self._records.write(record.finished(git_dir))
        return at

    def _again(self, record: Record, source: Source) -> Workplace | None:
        """The workplace as it was left; one whose directory is gone is made anew on its branch."""
        at = record.workplace
        if not record.made:  # its maker died; nobody has worked there
            with self._in(at.repository):
                self._undo(record, source.git)
            return None
        if os.path.lexists(at.path):
            self._check_whole(record)
            return at
        with self._in(at.repository):
            unregister(source.git, at)
            if tip(source.git, f"refs/heads/{at.branch}") is None:
                self._records.forget(at.name)
                return None
            git_dir = register(source.git, at, self._environ)
        fill(source.git, at, git_dir, self._environ)
        self._records.write(record.finished(git_dir))
        return at

    def _undo(self, record: Record, git: Git) -> None:
        """Take away what was made in vain; where even that fails, the record stays for the next try."""
        at = record.workplace
        with contextlib.suppress(OSError, GitFailed):
            delete_tree(at.path)
            delete_tree(part_of(at.path))
            unregister(git, at)
            delete_branch(git, at.branch, at.base)
            self._records.forget(at.name)

    def _keep(self, record: Record) -> Kept:
        at, git = record.workplace, self._git(record.workplace.repository)
        if not os.path.lexists(at.path):
            head = tip(git, f"refs/heads/{at.branch}") or at.base
            gone = "Its directory is gone; only what was committed is kept."
            return describe(git, at.branch, at.base, Saved(head, True, (gone,)))
        self._check_whole(record)
        draft = os.path.join(self._root, f".index-{at.name}")
        saved = save(git.at(record.git_dir, at.path), at.branch, at.base, draft)
        branch = at.branch
        if at.kind == Isolation.CLONE:
            with self._in(at.repository):
                branch = bring_back(git, record.git_dir, at, saved.head)
        return describe(git, branch, at.base, saved)

    def _delete(self, record: Record, branch: str) -> None:
        at, git = record.workplace, self._git(record.workplace.repository)
        delete_tree(at.path)
        delete_tree(part_of(at.path))
        with self._in(at.repository):
            unregister(git, at)
            for name in {at.branch, branch}:
                delete_branch(git, name, at.base)
        self._records.forget(at.name)
        os.unlink(self._lock(at.name))

    def _known(self, name: str) -> Record:
        record = self._records.read(checked(name))
        if record is None:
            raise IsolationFailed(
                problem=f"There is no workplace {name}.", hint="It was removed, or never made."
            )
        return record

    def _check_same(self, record: Record, kind: Isolation, source: Source) -> None:
        at = record.workplace
        if (at.kind, at.repository) != (kind.value, source.repository):
            raise IsolationFailed(
                problem=f"{at.name} exists already, as a {at.kind} of {at.repository}.",
                hint=f"Its work lies in {at.path} on {at.branch}: take it from there, then delete that folder"
                f" and {at.path}.json.",
            )

    def _check_whole(self, record: Record) -> None:
        """Refuse to touch a directory that is not what was made; its work stays where it is."""
        at = record.workplace
        link = os.path.join(at.path, ".git")
        whole = os.path.isdir(record.git_dir) and not os.path.islink(at.path)
        if whole and at.kind == Isolation.CLONE:
            whole = os.path.isdir(link) and not os.path.islink(link)
        elif whole:
            with open(os.path.join(record.git_dir, "gitdir"), encoding="utf-8") as file:
                whole = os.path.realpath(file.read().strip()) == os.path.realpath(link)
        if not whole:
            raise IsolationFailed(
                problem=f"{at.path} is not connected to {at.repository} any more.",
                hint=f"Run: git -C {os.path.dirname(at.repository)} worktree repair {at.path}",
            )

    def _git(self, repository: str) -> Git:
        return Git(self._environ, repository).at(repository)

    @contextlib.contextmanager
    def _on(self, name: str) -> Generator[None]:
        self._prepare()
        with held(self._lock(checked(name)), name):
            yield

    def _lock(self, name: str) -> str:
        return os.path.join(self._root, ".locks", f"{name}.lock")

    @contextlib.contextmanager
    def _in(self, repository: str) -> Generator[None]:
        """Hold the lock of a repository: its list of work trees has one writer at a time."""
        digest = hashlib.sha256(os.fsencode(repository)).hexdigest()[:16]
        with held(os.path.join(self._root, ".locks", f"repository-{digest}.lock"), repository):
            yield

    def _prepare(self) -> None:
        os.makedirs(self._root, mode=0o700, exist_ok=True)
        ignore = os.path.join(self._root, ".gitignore")
        if not os.path.lexists(ignore):
            with open(ignore, "w", encoding="utf-8") as file:
                file.write("*\n")


@contextlib.contextmanager
def _refusing(what: str) -> Generator[None]:
    """Have a failure of git or of the disk reach the caller as a refusal."""
    try:
        yield
    except GitFailed as error:
        raise IsolationFailed(problem=f"{what}: {error}.", hint=_hint(error.said)) from error
    except OSError as error:
        problem = f"{what}: {error.filename or ''} {error.strerror or error}."
        raise IsolationFailed(problem=problem, hint="Nothing was lost; mend it and try again.") from error


def _hint(said: str) -> str:
    if "No space left" in said:
        return "Free disk space and try again."
    if "already checked out" in said or "already used by worktree" in said:
        return "Check out another branch there, or remove that work tree, and try again."
    return "Nothing was lost; see what git says in the repository, and try again."
