"""Source rows become people, people become changes, changes become chunks.

planner.py plans a run, plan_builder.py makes or skips its plan, and new_plan.py has the steps of a plan. The packages are these steps:
reading, selecting, checking, comparing, writing. audience/ reads the audience in Mailchimp. undoing/ and archiving/ make
the plans that read no segments.
"""
