"""Effect of a change of the program on a stack, reported for reviewers.

`base` and `preview` are the two sources of a `Comparison`: what the stack is before and after, and
which resources are created, replaced, updated or deleted. The modules named after a noun turn it
into the sections of a `Report`, and `markdown`, `text` and `as_json` write that.
"""
