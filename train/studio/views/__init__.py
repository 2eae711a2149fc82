"""What a visitor sees: thin pages over the plain functions of the studio.

Not called ``pages``: of a folder with that name beside its script Streamlit makes pages of its
own, which anybody could open by their address, past the door.
"""
