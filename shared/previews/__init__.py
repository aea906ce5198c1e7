"""What a preview shows. Its run is only planned: no lane sends it, and nothing finishes it.

outcomes.py has the outcome that every row would have, samples.py some people with their values before and after the run, and
differences.py everyone whom the run would change.
"""
