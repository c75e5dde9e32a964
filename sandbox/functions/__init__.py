"""A functions host for any `function_app.py` of the Python v2 model, on one machine, without Core Tools.

It reads the bindings from the app itself and runs queue, timer, HTTP and Event Grid triggers with the
platform's semantics: `python -m sandbox.functions --app DIR`.
"""
