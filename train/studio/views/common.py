"""What every page uses: style, shared objects, and how errors are shown."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from edge.errors import MaskgateError, ModelError
from edge.modelfile import Kind, ModelFile, read_model, released_model
from train.studio.colours import VERDICT_COLOURS, ink
from train.studio.datasets import find_datasets
from train.studio.drawing import picture
from train.studio.gates import BrokerSettings
from train.studio.listening import Listener
from train.studio.messages import Pixels
from train.studio.pagewatch import Pages
from train.studio.password import Door, first_line
from train.studio.releases import list_releases, trouble_of
from train.studio.runs import list_runs
from train.studio.settings import StudioSettings, current_settings
from train.studio.statuspage import Page

RELEASED = "released"
MOST_MODELS = 50

_STYLE = """
<style>
  .block-container { padding-top: 4.2rem; padding-bottom: 3rem; max-width: 76rem; }
  .verdict { border-radius: .7rem; padding: .9rem 1.2rem; margin-bottom: .4rem; }
  .verdict b { font-size: 1.5rem; line-height: 1.25; display: block; }
  .verdict span { opacity: .85; }
  .chip { border-radius: 1rem; padding: .1rem .7rem; font-weight: 600; white-space: nowrap; }
  .shares { display: flex; height: .55rem; border-radius: .3rem; overflow: hidden;
            margin: .35rem 0 .15rem 0; background: #8884; }
  .shares i { display: block; height: 100%; }
  .face { display: flex; gap: 1rem; align-items: center; margin-bottom: .2rem; }
  .face img { width: 5.8rem; border-radius: .6rem; }
  .face > div { flex: 1; min-width: 0; }
  .small { font-size: .85rem; opacity: .75; }
  .small code { word-break: break-all; }
  @media (min-width: 769px) { :has(> .st-key-pages) { display: none; } }
  @media (max-width: 768px) {
    .block-container { padding: 1rem .8rem 3rem .8rem; }
    .st-key-pages a :has(> [data-testid=stIconMaterial]) { display: none; }
    [data-testid=stHeader]:has([data-testid=stExpandSidebarButton]) { display: none; }
  }
</style>
"""


def style() -> None:
    """Put the studio's few own styles onto the page."""
    st.html(_STYLE)


def links(pages: Sequence[Any]) -> None:
    """Name the *pages* in a row on a phone, where Streamlit hides them behind an arrow."""
    with st.container(key="pages", horizontal=True, gap="small"):
        for one in pages:
            st.page_link(one, label=one.title)


def settings() -> StudioSettings:
    """Return what whoever started the studio decided."""
    return current_settings()


@contextmanager
def told() -> Iterator[None]:
    """Show an error that is meant for people as a line on the page."""
    try:
        yield
    except MaskgateError as error:
        st.error(sentence(str(error)), icon=":material/block:")


def sentence(words: str) -> str:
    """Return *words* as a sentence in which nothing is markup."""
    return plain(words[:1].upper() + words[1:])


def plain(words: str) -> str:
    """Return *words* so that Markdown shows them as they are: a file's name is no link."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#$~:|!" else c for c in words)


def verdict_box(verdict: str, headline: str, below: str = "") -> None:
    """Show a *headline* in the colour of *verdict*, and a line *below* it."""
    colour = VERDICT_COLOURS.get(verdict, VERDICT_COLOURS["unsure"])
    st.html(
        f'<div class="verdict" style="background:{colour};color:{ink(colour)}">'
        f"<b>{html.escape(headline)}</b><span>{html.escape(below)}</span></div>"
    )


def chip(words: str, colour: str) -> str:
    """Return HTML of *words* on *colour*."""
    return (
        f'<span class="chip" style="background:{colour};color:{ink(colour)}">'
        f"{html.escape(words)}</span>"
    )


def face_row(crop: Pixels | None, inner: str) -> str:
    """Return HTML of a face beside *inner*, HTML; a row on phones too."""
    image = ""
    if crop is not None:
        content = io.BytesIO()
        picture(crop).save(content, "PNG")
        text = base64.b64encode(content.getvalue()).decode()
        image = f'<img src="data:image/png;base64,{text}" alt="">'
    return f'<div class="face">{image}<div>{inner}</div></div>'


def shares(parts: dict[str, float]) -> str:
    """Return HTML of a bar of *parts*, shares of 1 by verdict."""
    return '<div class="shares">' + "".join(
        f'<i style="width:{100 * share:.1f}%;background:{VERDICT_COLOURS[verdict]}"></i>'
        for verdict, share in parts.items()
    ) + "</div>"


def choice(where: Any, label: str, options: Iterable[str], **given: Any) -> str:
    """Let the visitor choose one of *options*, which are not empty, in *where*; return it."""
    return str(where.selectbox(label, list(options), **given))


def dataset_choice(key: str) -> Path | None:
    """Let the visitor choose a data set; None, with a hint, where there is none."""
    there = find_datasets(settings().data_folders)
    if there.left_out:
        st.caption(plain(
            f"Left out, as their names are no UTF-8: {', '.join(there.left_out[:5])}. Rename "
            "those folders."
        ))
    found = there.named
    if not found:
        st.info(
            "No data set is here yet. Start the studio with `--data FOLDER`: a folder of "
            "`with_mask/` and `without_mask/`, of `train.csv` and `val.csv`, or one that holds "
            "such folders.", icon=":material/folder_open:",
        )
        return None
    return found[choice(st, "Data set", found, key=key)]


def model_files(kind: Kind, keras: bool = False) -> dict[str, Path | None]:
    """Return the model files of *kind* by name: what came with maskgate, releases, the runs'."""
    found: dict[str, Path | None] = {RELEASED: None}
    found |= {n: m.path for n, m in promoted().items() if m.card.kind == kind}
    network = {"mask-classifier": "classifier", "face-detector": "detector"}[kind]
    for run in list_runs(settings().runs_folder):
        for path in run.models:
            if len(found) > MOST_MODELS:
                return found
            if path.suffix == ".keras" and keras and run.kind == network:
                found[f"{run.name}/{path.name}"] = path
            if path.suffix == ".keras":
                continue
            model = model_file(str(path), path.stat().st_mtime_ns)
            if model is not None and model.card.kind == kind:
                found[f"{run.name}: {model.card.name} {model.card.version}"] = path
    return found


def promoted() -> dict[str, ModelFile]:
    """Return the models of the releases by name, those of the last promotion first."""
    found: dict[str, ModelFile] = {}
    for release in list_releases(settings().runs_folder)[:MOST_MODELS]:
        path = release.model
        model = model_file(str(path), path.stat().st_mtime_ns)
        if model is not None and not trouble_of(release, model.sha256):
            found[f"release: {release.title}"] = model
    return found


def next_version(kind: Kind) -> int:
    """Return a version above that of the released model of *kind* and of those the runs made."""
    made = [path or released_model(kind) for path in model_files(kind).values()]
    found = [model_file(str(path), path.stat().st_mtime_ns) for path in made]
    return 1 + max(model.card.version for model in found if model is not None)


def _model_file(path: str, changed: int) -> ModelFile | None:
    try:
        return read_model(Path(path))
    except (ModelError, OSError):
        return None


def _door(password_file: str) -> Door:
    return Door(first_line(password_file))


def _listener(broker: BrokerSettings) -> Listener:
    listener = Listener(broker)
    listener.wait()
    return listener


def _pages(found: dict[str, Page]) -> Pages:
    return Pages(found)


# Called, not used as decorators, so that types survive where Streamlit is not installed.
model_file = st.cache_data(max_entries=200, show_spinner=False)(_model_file)
door = st.cache_resource(show_spinner=False)(_door)
listener = st.cache_resource(
    show_spinner=False, max_entries=4, hash_funcs={BrokerSettings: repr}
)(_listener)
pages = st.cache_resource(show_spinner=False, max_entries=4, hash_funcs={Page: repr})(_pages)
