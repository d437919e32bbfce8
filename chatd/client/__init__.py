"""The stdio client: ``python -m chatd.client``, at a terminal or in a pipe, over the classic protocol."""
