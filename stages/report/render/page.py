"""report.html and report.md, rendered from their templates."""

import base64
import hashlib
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from stages.messages import counted, noun
from stages.report.render import formats
from stages.report.render.glossary import MEANINGS, NAMES
from stages.shown import shorten, visible

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_LABEL = 60  # characters of a label in a table of rows


def render(template: str, context: object) -> str:
    """Return a template with the variables of a context; it may also use the style and the script of the page."""
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shared = {"style": Markup(style), "script": Markup(script), "script_hash": script_hash}
    return environment().get_template(template).render(vars(context) | shared)


def environment() -> Environment:
    """Return the environment of the templates: undefined names are errors, HTML is escaped, and texts are visible."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {"names": NAMES, "meanings": MEANINGS}
    templates.globals |= {"format_number": formats.format_number, "data_element": formats.data_element}
    templates.filters |= {
        "md": formats.escape_markdown,
        "plain": formats.plain,
        "value": formats.format_shown,
        "curve_value": formats.curve_value,
        "thousands": formats.thousands,
        "percent": formats.percent,
        "counted": counted,
        "noun": noun,
        "short": partial(shorten, limit=LONGEST_LABEL),
    }
    return templates


def _shown(value: object) -> object:
    """Every value that a template shows goes through here; Markup stays Markup."""
    return type(value)(visible(value)) if isinstance(value, str) else value
