"""What Streamlit runs for every visitor and every click: the door, and the pages behind it."""

from __future__ import annotations

import streamlit as st

from edge.errors import MaskgateError
from train.studio.settings import StudioSettings, current_settings
from train.studio.views import common, compare, data, gates, look, runs


def main() -> None:
    """Show the page that the visitor is on."""
    st.set_page_config(
        page_title="maskgate studio", page_icon=":material/masks:", layout="wide",
        initial_sidebar_state="collapsed",
    )
    common.style()
    try:
        settings = current_settings()
        if settings.password_file and not _let_in(settings):
            return
    except MaskgateError as error:
        st.error(str(error))
        return
    pages = [
        st.Page(look.page, title="Try", icon=":material/photo_camera:", url_path="try",
                default=True),
        st.Page(data.page, title="Data", icon=":material/photo_library:", url_path="data"),
        st.Page(runs.page, title="Runs", icon=":material/model_training:", url_path="runs"),
        st.Page(compare.page, title="Compare", icon=":material/compare_arrows:",
                url_path="compare"),
        st.Page(gates.page, title="Gates", icon=":material/door_front:", url_path="gates"),
    ]
    chosen = st.navigation(pages, position="top")
    common.links(pages)
    chosen.run()


def _let_in(settings: StudioSettings) -> bool:
    if st.session_state.get("let_in"):
        return True
    door = common.door(settings.password_file)
    st.title("maskgate studio")
    with st.form("door", width=420):
        given = st.text_input("Password", type="password", max_chars=1024)
        asked = st.form_submit_button("Open", type="primary")
    if asked:
        pause = door.pause()
        if pause > 0:
            st.error(f"Too many wrong answers; try again in {pause:.0f} seconds.")
        elif door.opens(given):
            st.session_state["let_in"] = True
            st.rerun()
        else:
            st.error("That is not the password.")
    return False


if __name__ == "__main__":
    main()
