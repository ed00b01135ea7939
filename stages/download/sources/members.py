"""The members of a zip or tar by name, and the one that a person means."""

import posixpath
import tarfile
import unicodedata
from collections.abc import Collection, Mapping

from stages.errors import DataError
from stages.messages import NAMES, examples, plain, short
from stages.reading.system_files import in_system_folder

MOST_LINKS = 40  # of a tar, from link to link
MOST_MEMBERS = 2_000_000  # of an archive; zipfile and tarfile keep about a kilobyte of each


def tar_members(tar: tarfile.TarFile, name: str) -> dict[str, tarfile.TarInfo]:
    """The files of a tar by name; of several with one name the last counts, as tar itself unpacks them.

    A link is the file in the archive that it leads to; one that leads out of it is left out.
    """
    members: dict[str, tarfile.TarInfo] = {}
    links: dict[str, str] = {}
    for number, info in enumerate(tar):
        if number >= MOST_MEMBERS:
            raise _too_many(name)
        member = _without_dots(info.name)
        members.pop(member, None)
        links.pop(member, None)
        if info.isfile():
            members[member] = info
        elif info.issym():
            links[member] = posixpath.normpath(posixpath.join(posixpath.dirname(member), info.linkname))
        elif info.islnk():
            links[member] = _without_dots(info.linkname)
    return members | {link: members[file] for link in links if (file := _follow(link, links)) in members}


def _follow(link: str, links: Mapping[str, str]) -> str:
    """Return where a link of an archive leads, through other links."""
    for _ in range(MOST_LINKS):
        if link not in links:
            break
        link = links[link]
    return link


def _without_dots(name: str) -> str:
    """Return the name of a member without `./` before it, with which `tar` packs a folder."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def shown(members: Collection[str]) -> str:
    """Return the names of members, those of the system left out, as messages show them."""
    return examples([member for member in members if not in_system_folder(member)], most=NAMES, show=plain)


def find_member(member: str, present: Collection[str], name: str) -> str:
    """Return the name that a member has in the archive: the same, or the only one that is written another way.

    Raises:
        DataError: The archive has no such member.
    """
    if len(present) > MOST_MEMBERS:
        raise _too_many(name)
    if member in present:
        return member
    alike = [candidate for candidate in present if _spelled(candidate) == _spelled(member)]
    if len(alike) == 1:
        return alike[0]
    raise DataError(f"{name} has no member {short(member)}. It has: {shown(present)}. Correct `member`.")


def _spelled(member: str) -> str:
    """Return a member's name as most write it: macOS has two characters for an accent, old Windows programs `\\`."""
    return unicodedata.normalize("NFC", _without_dots(member.replace("\\", "/")))


def _too_many(name: str) -> DataError:
    return DataError(f"{name} has more than {MOST_MEMBERS:,} members. Unpack it yourself, and give the path of a file.")
