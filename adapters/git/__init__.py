"""Isolation in real git repositories: linked work trees and clones on branches `claude-pool/…`.

`GitWorkplaces(root, environ)` is the port `domain.isolation.Workplaces`; everything it makes lies in the
folder `root`. All of it blocks: call it through a thread.

- `create(name, kind, source_dir) -> Workplace`: a work tree or clone on a branch of its own; the same one
  again after a crash or a restart.
- `find(name) -> Workplace | None`.
- `keep(name) -> Kept`: commits everything that is not ignored to the branch, with a diff.
- `land(workplace, branch, how) -> Landed | NotLanded`: fast-forward or merge commit into the branch that
  the source had checked out, by compare-and-swap; a conflict is a result.
- `remove(name) -> Kept`: keeps, then deletes the directory. `sweep(known) -> Swept…`: the same for orphans.

What cannot be done raises `IsolationFailed` and leaves everything where it was. No program that a
repository names is run: no hook, no filter, no merge driver, no file system monitor.
"""
