"""Rules on single resources that every stack must keep, independent of engine and mocks.

`policy/__main__.py` applies them to what the engine previews, `ops/review/policy.py` to what the
program registers under Pulumi's mocks.

No module here may have the name of a standard library module: the engine runs the pack with this
folder first on the path.
"""
