"""Which folders of skills a pool has, from its options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from ..config.layers import home
from ..config.model import Effective
from ..places import Places
from .commands import environment_for
from .library import Folders, Library


def default_folders(places: Places, environ: Mapping[str, str]) -> Folders:
    """The folders of a pool whose options say nothing of them."""
    own = os.path.join(home(environ), ".claude-pool", "skills")
    return Folders(
        global_skills=own,
        project_skills=places.skills_dir,
        project_workflows=places.workflows_dir,
        root=places.project_dir,
        writable=(own,),
    )


def library_of(effective: Effective, environ: Mapping[str, str]) -> Library:
    """The skills and workflows of a configuration. `environ` is what commands in skills see a part of."""
    chosen, folders = effective.options, default_folders(effective.places, environ)
    if chosen.skills_dir is not None:
        writable = (*folders.writable, chosen.skills_dir)
        folders = replace(folders, project_skills=chosen.skills_dir, writable=writable)
    folders = replace(
        folders,
        builtin=not chosen.no_builtins,
        global_skills=None if chosen.no_global_skills else folders.global_skills,
        project_skills=None if chosen.no_project_skills else folders.project_skills,
        project_workflows=None if chosen.no_project_skills else folders.project_workflows,
    )
    commands = environment_for(environ, chosen.pass_env) if chosen.allow_skill_commands else None
    return Library(folders, chosen.disable_skill, commands)
