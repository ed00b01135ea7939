"""Take one member out of a zip file."""

import shutil
import zipfile
from pathlib import Path

from stages.errors import DataError


def extract_member(archive: Path, member: str, *, name: str, path: Path) -> Path:
    """Unpack the member `member` of a zip file to `path`; its own name never becomes a path.

    Args:
        archive: The zip file.
        member: Name of the member, folders included.
        name: What the messages call the archive.
        path: The file to write.

    Raises:
        DataError: It is no zip file, has no such member, or the member is encrypted or damaged.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            files = [info.filename for info in file.infolist() if not info.is_dir()]
            if member not in files:
                raise DataError(f"{name} has no member {member!r}. It has: {', '.join(files) or 'none'}.")
            with file.open(member) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
    except RuntimeError as error:  # what zipfile raises for a missing password
        raise DataError(f"{name} member {member}: {error}. Unpack it yourself and give the file's path.") from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise DataError(f"{name} is not a readable zip file: {error}. Fetch it anew, or leave out `member`.") from error
    return path
