"""What the client prints: `plain` lines for people and scripts, `jsonlines` for programs.

`output` has the interface of both; `wording` has the sentences, `style` their colours. To add
an event: its sentence in `wording.event`; JSON lines print every event by the names of its fields.
"""
