"""What no stack may do: rules over single resources, which know neither the engine nor the mocks.

`policy/__main__.py` applies them to what the engine previews, `ops/review/policy.py` to what the
program registers under Pulumi's mocks. No module here may have the name of one of Python's own:
the engine runs the pack with this folder first on the path.
"""
