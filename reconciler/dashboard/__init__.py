"""The dashboard: a page without data that anybody may load, and its data, rendered here, for whoever has a key.

:mod:`.view` turns state rows and status documents into what is shown, :mod:`.pages` renders that with Jinja2,
:mod:`.board` reads, and :mod:`.answers` says it in HTTP. Nothing of it is imported before somebody looks.
"""
