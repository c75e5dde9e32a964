"""Lines of the log, with what an app gave its records besides the text (`extra`): ` name=value` at the end.

The platform hands these to Application Insights as fields of their own.
"""

import json
import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class WithFields(logging.Formatter):
    """A line, then its fields; empty ones are left out."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line; a traceback follows it, as ever."""
        fields = {name: value for name, value in vars(record).items() if name not in _OWN}
        told = [f" {name}={_plain(value)}" for name, value in fields.items() if value not in ("", None)]
        return super().formatMessage(record) + "".join(told)


def _plain(value: object) -> str:
    """A word as it is, anything else in quotes, on one line."""
    text = str(value)
    return text if text.isprintable() and not {" ", '"', "="} & set(text) else json.dumps(text)
