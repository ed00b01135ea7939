"""Opens a DVC repository; whatever keeps it from being opened is one error."""

from pathlib import Path

from dvc.config import ConfigError
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.scm import SCMError

from stages.errors import PipelineError


def open_repo(root: Path) -> Repo:
    """The DVC repository of a project.

    Raises:
        PipelineError: The folder is no DVC project, or its configuration, .dvcignore or git repository can't be read.
    """
    try:
        repo = Repo(str(root))
        repo.dvcignore  # noqa: B018  (DVC reads the file here)
    except UnicodeDecodeError as error:
        raise PipelineError(f"{root / '.dvcignore'} is not UTF-8. Save it as UTF-8.") from error
    except NotDvcRepoError as error:
        raise PipelineError(f"{root} is not a DVC project. Make it one with: dvc init") from error
    except ConfigError as error:
        problem = str(error).rstrip(".")
        raise PipelineError(
            f"DVC's configuration can't be read: {problem}. Correct .dvc/config or .dvc/config.local, or restore it: "
            "git checkout -- .dvc/config"
        ) from error
    except (DvcException, SCMError, ValueError) as error:  # ValueError: files of .git that git's readers refuse
        raise PipelineError(f"{root} can't be opened by DVC: {error}. To see more: dvc status, git status") from error
    return repo
