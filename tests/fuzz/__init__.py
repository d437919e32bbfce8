"""Coverage-guided fuzzing of everything that reads what a peer sends.

``python -m tests.fuzz`` runs the targets with atheris (the extra ``fuzz``): libFuzzer chooses
inputs that reach new code. `targets` is the table of the targets; `codecs` has those of the codecs,
`connections` those of whole connections in memory, and `grpc_port` that of a gRPC port. An input
that a target objects to is written to the current folder, and its path printed.

`seeds` has the inputs that a run begins with, and `corpus` what earlier runs have found
(``--keep``). `test_corpus` gives each of them to its target, so that what was repaired stays
repaired.
"""
